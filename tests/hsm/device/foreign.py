"""Objects that other programs put into a token: whatever PKCS#11 allows, by a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import Attribute, KeyType, ObjectClass

from hsm.device.material import pair_material
from hsm.device.p11calls import Template, Value
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm

CREATE = """
import json, sys
from pathlib import Path
from hsm.device.p11calls import Calls
from hsm.device.pkcs11 import Module

path, label, serial, pin, templates = sys.argv[1], *json.loads(sys.stdin.read())
module = Module(str(Path(path).resolve()))
module.login(label, serial, pin.encode())
calls = Calls(module.path)
session = calls.open_session(module.slot_id)
for template in templates:
    values = {int(kind): bytes.fromhex(value[4:]) if str(value).startswith("hex:") else value
              for kind, value in template.items()}
    calls.create(session, values)
"""
P256 = bytes.fromhex("06082a8648ce3d030107")


def create(farm: TokenFarm, token: Token, *templates: Template) -> None:
    """Make objects as the templates say, and nothing more than they say."""
    plain = [{int(kind): _plain(value) for kind, value in template.items()} for template in templates]
    given = json.dumps([token.label, token.serial, token.pin, plain])
    subprocess.run(
        [sys.executable, "-c", CREATE, SOFTHSM],
        input=given,
        env=farm.environment,
        cwd=Path(__file__).parents[3],
        text=True,
        check=True,
    )


def _plain(value: Value) -> bool | int | str:
    if isinstance(value, bytes):
        return f"hex:{value.hex()}"
    return value if isinstance(value, bool | str) else int(value)


def secret(key_id: bytes, **more: Value) -> Template:
    """Return a template of an AES key; `more` by names of attributes."""
    return {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.TOKEN: True,
        Attribute.ID: key_id,
        Attribute.VALUE: bytes(range(16)),
        **_named(more),
    }


def private(key_id: bytes, **more: Value) -> Template:
    """Return a template of the private half of an EC key pair."""
    return {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.TOKEN: True,
        Attribute.ID: key_id,
        Attribute.EC_PARAMS: P256,
        Attribute.VALUE: bytes(range(1, 33)),
        **_named(more),
    }


def public(key_id: bytes, **more: Value) -> Template:
    """Return a template of the public half that belongs to `private`."""
    key = ec.derive_private_key(int.from_bytes(bytes(range(1, 33))), ec.SECP256R1())
    return {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY,
        Attribute.KEY_TYPE: KeyType.EC,
        Attribute.TOKEN: True,
        Attribute.ID: key_id,
        Attribute.EC_PARAMS: P256,
        Attribute.EC_POINT: pair_material(key).ec_point,
        **_named(more),
    }


def data(label: str) -> Template:
    """Return a template of an object that is no key."""
    return {
        Attribute.CLASS: ObjectClass.DATA,
        Attribute.TOKEN: True,
        Attribute.LABEL: label,
        Attribute.VALUE: b"data",
    }


def certificate(key_id: bytes, der: bytes, label: str) -> Template:
    """Return a template of an X.509 certificate."""
    return {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: 0,
        Attribute.TOKEN: True,
        Attribute.ID: key_id,
        Attribute.LABEL: label,
        Attribute.SUBJECT: b"\x30\x00",
        Attribute.VALUE: der,
    }


def _named(more: dict[str, Value]) -> Template:
    return {int(Attribute[name]): value for name, value in more.items()}
