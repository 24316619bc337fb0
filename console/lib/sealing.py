"""The half that seals: public keys only, safe in the web process. The half that opens is `console.lib.sealingpair`.

HPKE, RFC 9180 base mode, with the hybrid KEM MLKEM768-X25519, HKDF-SHA256 and AES-256-GCM; there is no second
suite. What a sealed value is for (purpose and row) goes in as `info`, so that it opens in its own place only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from console.lib.digest import canonical_json, sha256_hex
from console.lib.errors import UnavailableError

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
MLKEM_PUBLIC_BYTES = 1184  # FIPS 203, table 3
PUBLIC_BYTES = MLKEM_PUBLIC_BYTES + 32


def info(purpose: str, row_id: str) -> bytes:
    """Return what binds a sealed value to its place."""
    return canonical_json({"purpose": purpose, "row": row_id})


@dataclass(frozen=True)
class Owner:
    """Whose sealing pair it is, as errors call it: `lost` and `unfit` say what to do about the half that opens."""

    name: str
    lost: str
    unfit: str


SERVER = Owner(
    "this server",
    lost="Restore its file from a backup of this server.",
    unfit="Enter the value again, or restore the sealing key that belongs to this database.",
)


def read_half(path: Path, size: int) -> bytes:
    """Return a half from a file of hex digits; raises OSError or ValueError when it is missing or damaged."""
    raw = bytes.fromhex(path.read_text(encoding="ascii"))
    if len(raw) != size:
        raise ValueError(f"{path.name} holds {len(raw)} bytes, not {size}.")
    return raw


@dataclass(frozen=True)
class SealingPublic:
    """The public half of a sealing pair: `raw` is the ML-KEM-768 key, then the X25519 key."""

    raw: bytes

    @classmethod
    def load(cls, path: Path, owner: Owner = SERVER) -> Self:
        """Read the half from a file of hex digits; raises UnavailableError when it is missing or damaged."""
        try:
            return cls(read_half(path, PUBLIC_BYTES))
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"The public sealing key of {owner.name} cannot be read, so nothing can be sealed for it.",
                next_step=f"Restore {path.name} from the worker's host, or run set-up again.",
            ) from error

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the raw public half, hex."""
        return sha256_hex(self.raw)

    def seal(self, plaintext: bytes, *, purpose: str, row_id: str) -> bytes:
        """Return the value sealed for who holds the other half, for this purpose and row only."""
        key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(self.raw[MLKEM_PUBLIC_BYTES:]),
        )
        return SUITE.encrypt(plaintext, key, info(purpose, row_id))
