"""Somebody else at work in the slot: python-pkcs11 in a process of its own, which knows nothing of the console."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.softhsm import Token

SCRIPT = """
import json, sys
import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.util.ec import encode_named_curve_parameters

asked = json.load(sys.stdin)
mapper = AttributeMapper()
raw = (bytes, bytes)
mapper.attribute_types[Attribute.LABEL] = raw
(token,) = pkcs11.lib(asked["module"]).get_tokens(token_serial=asked["serial"].encode())
CLASSES = {"private": ObjectClass.PRIVATE_KEY, "public": ObjectClass.PUBLIC_KEY, "secret": ObjectClass.SECRET_KEY}
P256 = encode_named_curve_parameters("secp256r1")

with token.open(rw=True, user_pin=asked["pin"], attribute_mapper=mapper) as session:
    def find(act):
        wanted = {Attribute.CLASS: CLASSES[act["class"]], Attribute.ID: bytes.fromhex(act["id"])}
        (found,) = list(session.get_objects(wanted))
        return found

    for act in asked["acts"]:
        if act["do"] == "ec":
            common = {Attribute.LABEL: bytes.fromhex(act["label"]), Attribute.ID: bytes.fromhex(act["id"])}
            session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: P256}, local=True).generate_keypair(
                store=True, public_template=common,
                private_template={**common, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False})
        elif act["do"] == "aes":
            session.generate_key(KeyType.AES, 256, store=True, template={
                Attribute.LABEL: bytes.fromhex(act["label"]), Attribute.ID: bytes.fromhex(act["id"]),
                Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.ENCRYPT: True,
                Attribute.DECRYPT: True, Attribute.MODIFIABLE: act["modifiable"]})
        elif act["do"] == "set":
            value = act["value"]
            find(act)[Attribute[act["attribute"]]] = bytes.fromhex(value) if isinstance(value, str) else value
        elif act["do"] == "destroy":
            find(act).destroy()
        elif act["do"] == "read":
            print(json.dumps(find(act)[Attribute[act["attribute"]]]))
"""


@dataclass
class Outside:
    """Collects acts, and does them all in one login."""

    token: Token
    acts: list[dict[str, Any]] = field(default_factory=list)

    def ec(self, key_id: str, label: str | bytes = "outside") -> "Outside":
        """Make a P-256 pair; `key_id` is hex and may be empty or taken."""
        return self._also(do="ec", id=key_id, label=_hex(label))

    def aes(self, key_id: str, label: str | bytes = "outside", *, modifiable: bool = True) -> "Outside":
        """Make an AES key."""
        return self._also(do="aes", id=key_id, label=_hex(label), modifiable=modifiable)

    def set(self, kind: str, key_id: str, attribute: str, value: bool | str) -> "Outside":
        """Set one attribute (C_SetAttributeValue) of a private, public or secret object; a text value is hex."""
        return self._also(do="set", id=key_id, attribute=attribute, value=value, **{"class": kind})

    def destroy(self, kind: str, key_id: str) -> "Outside":
        """Destroy one object."""
        return self._also(do="destroy", id=key_id, **{"class": kind})

    def read(self, kind: str, key_id: str, attribute: str) -> Any:
        """Return an attribute as it is now."""
        return json.loads(self._also(do="read", id=key_id, attribute=attribute, **{"class": kind}).done())

    def done(self) -> str:
        """Do it."""
        acts, self.acts = self.acts, []
        asked = {"module": self.token.module, "serial": self.token.serial, "pin": self.token.pin, "acts": acts}
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=json.dumps(asked),
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        return told.stdout

    def _also(self, **act: Any) -> "Outside":
        self.acts.append(act)
        return self


def _hex(label: str | bytes) -> str:
    return (label.encode() if isinstance(label, str) else label).hex()
