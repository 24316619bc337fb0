"""What follows from the mechanisms that a token advertises: the kinds of key and the schemes it should manage.

A scheme needs the raw mechanism only, because the caller makes the hash. Whether it really works is for the
self-test to say.
"""

from collections.abc import Iterable

from hsm.device.base import Capabilities, KeySpec, SignatureScheme
from hsm.device.wire import MechanismPart

KEY_BITS = {
    KeySpec.EC_P256: ("EC_KEY_PAIR_GEN", 256),
    KeySpec.EC_P384: ("EC_KEY_PAIR_GEN", 384),
    KeySpec.EC_P521: ("EC_KEY_PAIR_GEN", 521),
    KeySpec.RSA_2048: ("RSA_PKCS_KEY_PAIR_GEN", 2048),
    KeySpec.RSA_3072: ("RSA_PKCS_KEY_PAIR_GEN", 3072),
    KeySpec.RSA_4096: ("RSA_PKCS_KEY_PAIR_GEN", 4096),
}
RAW_MECHANISMS = {
    SignatureScheme.ECDSA_SHA256: "ECDSA",
    SignatureScheme.ECDSA_SHA384: "ECDSA",
    SignatureScheme.ECDSA_SHA512: "ECDSA",
    SignatureScheme.RSA_PKCS1V15_SHA256: "RSA_PKCS",
    SignatureScheme.RSA_PKCS1V15_SHA384: "RSA_PKCS",
    SignatureScheme.RSA_PSS_SHA256: "RSA_PKCS_PSS",
}


def capabilities_of(mechanisms: Iterable[MechanismPart]) -> Capabilities:
    """Return what the advertised mechanisms and their key sizes amount to. A size of 0 means: not said."""
    offered = {mechanism.name: mechanism for mechanism in mechanisms}
    specs = {spec for spec, (name, bits) in KEY_BITS.items() if name in offered and _in_range(offered[name], bits)}
    schemes = {scheme for scheme, name in RAW_MECHANISMS.items() if name in offered}
    return Capabilities(frozenset(offered), frozenset(specs), frozenset(schemes))


def _in_range(mechanism: MechanismPart, bits: int) -> bool:
    return mechanism.min_bits <= bits and (mechanism.max_bits == 0 or bits <= mechanism.max_bits)
