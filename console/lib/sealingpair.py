"""The half that opens what `console.lib.sealing` sealed. Import contracts keep it from the web."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from console.lib.errors import UnavailableError
from console.lib.sealing import SUITE, SealingPublic, info
from console.lib.secret import Secret

MLKEM_SEED_BYTES = 64  # FIPS 203 §7.1: the seed (d, z)
PRIVATE_BYTES = MLKEM_SEED_BYTES + 32


@dataclass(frozen=True)
class SealingPair:
    """Both halves; `_raw` is the ML-KEM-768 seed, then the X25519 private key."""

    _raw: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new pair."""
        return cls(MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the pair from a file of hex digits; raises UnavailableError when it is missing or damaged."""
        try:
            raw = bytes.fromhex(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise UnavailableError(
                "The sealing key of this server cannot be read, so nothing protected can be opened.",
                next_step=f"Restore {path.name} from a backup of this server.",
            ) from error
        if len(raw) != PRIVATE_BYTES:
            raise UnavailableError("The sealing key of this server is damaged.")
        return cls(raw)

    def save(self, private_path: Path, public_path: Path) -> None:
        """Write both halves, the private one with mode 0600; an existing file is never overwritten."""
        for path, content, mode in ((private_path, self._raw, 0o600), (public_path, self.public.raw, 0o644)):
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w", encoding="ascii") as file:
                file.write(content.hex())
                file.flush()
                os.fsync(file.fileno())

    @property
    def public(self) -> SealingPublic:
        """The half that seals."""
        mlkem, x25519 = self._keys()
        return SealingPublic(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def open(self, sealed: bytes, *, purpose: str, row_id: str) -> Secret:
        """Return what was sealed for exactly this purpose and row; raises UnavailableError otherwise."""
        try:
            return Secret(SUITE.decrypt(bytes(sealed), MLKEM768X25519PrivateKey(*self._keys()), info(purpose, row_id)))
        except (InvalidTag, ValueError) as error:
            raise UnavailableError(
                "A protected value does not open with the sealing key of this server. Nothing was changed.",
                next_step="Enter the value again, or restore the sealing key that belongs to this database.",
            ) from error

    def derive(self, purpose: str) -> Secret:
        """Return 32 bytes that only this pair yields, for one purpose (HKDF-SHA256, RFC 5869)."""
        return Secret(HKDF(SHA256(), 32, salt=None, info=info(purpose, "")).derive(self._raw))

    def _keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        seed, scalar = self._raw[:MLKEM_SEED_BYTES], self._raw[MLKEM_SEED_BYTES:]
        return MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
