"""How question and answer of one use of a key are kept out of everybody's sight.

The question is sealed for the worker, together with a random key. The worker encrypts the answer under that key, and
the only other copy of it is in the asking browser's cookie: the database alone shows neither.
"""

import secrets
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from console.lib.secret import Secret

PURPOSE = "key-use"
KEY_BYTES = 32
IV_BYTES = 12  # NIST SP 800-38D §8.2.2: random; a key encrypts one answer only


@dataclass(frozen=True)
class Question:
    """What is asked of a key: the data, for a verification also the signature, and the key for the answer."""

    answer_key: bytes = field(repr=False)
    data: bytes = field(repr=False)
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """What the key made of it: bytes, or, of a verification, whether the signature is valid."""

    output: bytes = field(default=b"", repr=False)
    valid: bool | None = field(default=None, repr=False)


def new_key() -> Secret:
    """Return a key for one answer."""
    return Secret(secrets.token_bytes(KEY_BYTES))


def pack(question: Question) -> bytes:
    """Return the question as bytes, to be sealed."""
    return msgspec.msgpack.encode(question)


def unpack(packed: Secret) -> Question:
    """Return the question of `pack`."""
    return msgspec.msgpack.decode(packed.reveal_bytes(), type=Question)


def enclose(answer: Answer, key: bytes, *, row_id: str) -> bytes:
    """Return the answer encrypted for this row under AES-256-GCM: IV, ciphertext, tag."""
    iv = secrets.token_bytes(IV_BYTES)
    return iv + AESGCM(key).encrypt(iv, msgspec.msgpack.encode(answer), row_id.encode())


def disclose(enclosed: bytes, key: Secret, *, row_id: str) -> Answer | None:
    """Return the answer; None for any key but the one that it was enclosed under, and for another row's answer."""
    raw = key.reveal_bytes()
    if len(raw) != KEY_BYTES or len(enclosed) <= IV_BYTES:
        return None
    try:
        packed = AESGCM(raw).decrypt(enclosed[:IV_BYTES], enclosed[IV_BYTES:], row_id.encode())
    except InvalidTag:
        return None
    return msgspec.msgpack.decode(packed, type=Answer)
