"""Proof of the last key: how a known client asks for a certificate when its own has expired or lost its root.

The request (PKCS#10, RFC 2986) carries one attribute more. Its value is a UTF8String of base64 JSON: the server's
nonce, the SHA-256 of the last key's SubjectPublicKeyInfo, and that key's signature (ECDSA with SHA-256, DER, or
RSASSA-PKCS1-v1_5 with SHA-256) over `signed_bytes`. Whoever has only a copied certificate cannot make it. The key's
certificate may go along: a server that was restored from a backup may know nothing of it.
"""

import base64

import msgspec

from trust.wire.errors import WireError
from trust.wire.messages import Fingerprint

ATTRIBUTE = "1.2.840.113556.1.8000.2554.11844.7983.2183.17371.41920.4536775.6377542"
"""Beside `keys.profiles.MESSAGE_SIGNING_EKU`, in the same arc of our own."""
PREFIX = b"keystead proof of last key 1\n"
NONCE_BYTES = 64  # at most
MOST_CERTIFICATES, CHAIN_BYTES = 3, 6 * 1024  # at most: a leaf, an intermediate, a cross-certificate


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`last_key` is the fingerprint of the key that signs; bytes are base64.

    `chain` is the certificate of that key (DER), then what leads from it to a root; empty where there is none.
    """

    nonce: bytes
    last_key: Fingerprint
    signature: bytes
    chain: tuple[bytes, ...] = ()


def signed_bytes(nonce: bytes, name: str, new_spki_der: bytes) -> bytes:
    """Return what the last key signs: this nonce, for this name, to have this new key certified."""
    return PREFIX + nonce + b"\n" + name.encode("ascii") + b"\n" + new_spki_der


def encode(proof: Proof) -> bytes:
    """Return the text of the attribute's value, ASCII."""
    return base64.b64encode(msgspec.json.encode(proof))


def decode(text: bytes) -> Proof:
    """Return the proof; raises WireError."""
    try:
        proof = msgspec.json.decode(base64.b64decode(text, validate=True), type=Proof)
    except (ValueError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise WireError("The proof of the last key cannot be read.", code="bad-proof") from error
    too_many = len(proof.chain) > MOST_CERTIFICATES or sum(map(len, proof.chain)) > CHAIN_BYTES
    if too_many or len(proof.nonce) > NONCE_BYTES or len(proof.signature) > 1024:
        raise WireError("The proof of the last key is too long.", code="bad-proof")
    return proof
