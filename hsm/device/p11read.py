"""What python-pkcs11 objects say, as the messages of `wire`: for the module host only.

Attributes are read in bulk. A decoder of python-pkcs11 that fails would spoil the whole read, so it gives raw bytes.
"""

import struct
from typing import Any

from pkcs11 import Attribute, Mechanism
from pkcs11.attributes import AttributeMapper
from pkcs11.constants import TokenFlag as PyTokenFlag

from hsm.device import wire
from hsm.device.base import TokenFlag
from hsm.device.objectwire import PublicPart

FLAGS = {
    PyTokenFlag.TOKEN_INITIALIZED: TokenFlag.INITIALIZED,
    PyTokenFlag.WRITE_PROTECTED: TokenFlag.WRITE_PROTECTED,
    PyTokenFlag.LOGIN_REQUIRED: TokenFlag.LOGIN_REQUIRED,
    PyTokenFlag.USER_PIN_INITIALIZED: TokenFlag.USER_PIN_INITIALIZED,
    PyTokenFlag.USER_PIN_COUNT_LOW: TokenFlag.USER_PIN_COUNT_LOW,
    PyTokenFlag.USER_PIN_FINAL_TRY: TokenFlag.USER_PIN_FINAL_TRY,
    PyTokenFlag.USER_PIN_LOCKED: TokenFlag.USER_PIN_LOCKED,
    PyTokenFlag.USER_PIN_TO_BE_CHANGED: TokenFlag.USER_PIN_TO_BE_CHANGED,
    PyTokenFlag.PROTECTED_AUTHENTICATION_PATH: TokenFlag.PROTECTED_AUTHENTICATION_PATH,
    PyTokenFlag.ERROR_STATE: TokenFlag.ERROR_STATE,
}
CLAIMS = ("SENSITIVE", "EXTRACTABLE", "LOCAL", "NEVER_EXTRACTABLE", "ALWAYS_SENSITIVE")


class RawMapper(AttributeMapper):  # type: ignore[misc]  # python-pkcs11's types are skipped
    """Gives raw bytes where a decoder fails, so that one odd attribute does not spoil a bulk read."""

    def unpack_attributes(self, key: Attribute, value: bytes) -> Any:
        """Return the value, or its bytes."""
        try:
            return super().unpack_attributes(key, value)
        except (ValueError, NotImplementedError, struct.error):
            return value


def key_part(key_id: bytes, *, private: Any, public: Any) -> wire.KeyPart:
    """Describe a key pair by whichever halves there are."""
    claims = private.get_attributes([Attribute[name] for name in CLAIMS]) if private is not None else {}
    labels = [
        half.get_attributes([Attribute.LABEL]).get(Attribute.LABEL) for half in (private, public) if half is not None
    ]
    return wire.KeyPart(
        key_id=key_id,
        label=next((label for label in labels if isinstance(label, str)), ""),
        has_private=private is not None,
        has_public=public is not None,
        public=_public_part(public) if public is not None else None,
        **{name.lower(): _flag(claims.get(Attribute[name])) for name in CLAIMS},
    )


def _public_part(public: Any) -> PublicPart:
    values = public.get_attributes(
        [Attribute.EC_PARAMS, Attribute.EC_POINT, Attribute.MODULUS, Attribute.PUBLIC_EXPONENT]
    )
    return PublicPart(
        ec_params=values.get(Attribute.EC_PARAMS, b""),
        ec_point=values.get(Attribute.EC_POINT, b""),
        modulus=values.get(Attribute.MODULUS, b""),
        exponent=values.get(Attribute.PUBLIC_EXPONENT, b""),
    )


def mechanism_part(slot: Any, mechanism: Mechanism | int) -> wire.MechanismPart:
    """Describe a mechanism; one that python-pkcs11 does not know keeps its number."""
    name = mechanism.name if isinstance(mechanism, Mechanism) else f"0x{mechanism:08X}"
    info = slot.get_mechanism_info(mechanism)
    return wire.MechanismPart(name=name, min_bits=info.min_key_length or 0, max_bits=info.max_key_length or 0)


def token_part(token: Any) -> wire.TokenPart:
    """Describe a token."""
    return wire.TokenPart(
        slot_id=token.slot.slot_id,
        label=token.label,
        serial=serial_of(token),
        manufacturer=token.manufacturer_id,
        model=token.model,
        firmware=version_text(token.firmware_version),
        flags=[ours.value for theirs, ours in FLAGS.items() if theirs in token.flags],
    )


def serial_of(token: Any) -> str:
    """Return a token's serial number as text, without padding."""
    return bytes(token.serial).rstrip(b"\0 ").decode("ascii", errors="replace")


def version_text(parts: tuple[int, int]) -> str:
    """Return a version as text."""
    return ".".join(map(str, parts))


def first_of(objects: list[Any], kind: type) -> Any:
    """Return the first object of a kind, or None."""
    return next((item for item in objects if isinstance(item, kind)), None)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
