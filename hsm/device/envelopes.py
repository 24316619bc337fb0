"""The cryptography of pki.db: who can open it, how the data key is wrapped, how a private key is enveloped.

AES-256-GCM throughout, with a random 96-bit nonce; the associated data names what is inside and where it belongs, so
that nothing opens in another place. A password becomes a key by scrypt (RFC 7914), n = 2^15, r = 8, p = 1.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hsm.device.base import SecretLike

KEY_BYTES = 32
SALT_BYTES = 32
NONCE_BYTES = 12
SCRYPT_N = 2**15
SCRYPT_MEMORY_BYTES = 64 * 1024 * 1024


class SlotKind(StrEnum):
    """What opens a key slot."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    SEALING = "sealing"


class Opener(Protocol):
    """Something that opens key slots of its kind, by a key that it derives for each slot."""

    @property
    def kind(self) -> SlotKind:
        """The kind of slot."""
        ...

    def slot_key(self, salt: bytes) -> bytes:
        """Return the key of a slot, KEY_BYTES long."""
        ...


@dataclass(frozen=True)
class PasswordOpener:
    """The password of pki.db. Each call takes about 0.1 s, which is its purpose."""

    password: SecretLike = field(repr=False)
    kind: SlotKind = SlotKind.PASSWORD

    def slot_key(self, salt: bytes) -> bytes:
        """Return scrypt(password, salt)."""
        return hashlib.scrypt(
            self.password.reveal_bytes(),
            salt=salt,
            n=SCRYPT_N,
            r=8,
            p=1,
            maxmem=SCRYPT_MEMORY_BYTES,
            dklen=KEY_BYTES,
        )


@dataclass(frozen=True)
class SealingOpener:
    """The server's sealing key: `secret` returns key material of full strength, at least KEY_BYTES of it."""

    secret: Callable[[], SecretLike] = field(repr=False)
    kind: SlotKind = SlotKind.SEALING

    def slot_key(self, salt: bytes) -> bytes:
        """Return HKDF-SHA256(secret, salt) (RFC 5869)."""
        material = self.secret().reveal_bytes()
        if len(material) < KEY_BYTES:
            raise ValueError("The sealing secret is too short.")
        return HKDF(SHA256(), KEY_BYTES, salt=salt, info=b"keystead pki.db slot").derive(material)


def new_salt() -> bytes:
    """Return a salt for a new slot."""
    return secrets.token_bytes(SALT_BYTES)


def new_data_key(bits: int = KEY_BYTES * 8) -> bytes:
    """Return an AES key."""
    return AESGCM.generate_key(bits)


def wrap(slot_key: bytes, data_key: bytes, *, slot_id: int, data_key_id: int) -> bytes:
    """Return nonce and wrapped data key."""
    return _seal(slot_key, data_key, _slot_data(slot_id, data_key_id))


def unwrap(slot_key: bytes, wrapped: bytes, *, slot_id: int, data_key_id: int) -> bytes | None:
    """Return the data key, or None when the slot key is not the right one."""
    return _open(slot_key, wrapped, _slot_data(slot_id, data_key_id))


def enclose(data_key: bytes, plain: bytes, *, key_id: bytes, version: int) -> bytes:
    """Return nonce and envelope of a private key or a secret key."""
    return _seal(data_key, plain, _key_data(key_id, version))


def disclose(data_key: bytes, envelope: bytes, *, key_id: bytes, version: int) -> bytes | None:
    """Return the private key (PKCS #8 DER) or the secret key, or None when the envelope is not what it should be."""
    return _open(data_key, envelope, _key_data(key_id, version))


def _seal(key: bytes, plain: bytes, associated: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, associated)


def _open(key: bytes, sealed: bytes, associated: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except (InvalidTag, ValueError):
        return None


def _slot_data(slot_id: int, data_key_id: int) -> bytes:
    return b"keystead pki.db data key" + slot_id.to_bytes(8) + data_key_id.to_bytes(8)


def _key_data(key_id: bytes, version: int) -> bytes:
    return b"keystead pki.db private key" + version.to_bytes(8) + key_id
