"""A pair of keys in memory: it opens what `console.lib.sealing` sealed for its public half.

The pairs of servers, which are files, are `console.lib.sealingpair`; import contracts keep those from the web. The web
makes a pair of its own for one hand-over and forgets it.
"""

from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from console.lib.errors import UnavailableError
from console.lib.sealing import SUITE, SealingPublic, info
from console.lib.secret import Secret

MLKEM_SEED_BYTES = 64  # FIPS 203 §7.1: the seed (d, z)
PRIVATE_BYTES = MLKEM_SEED_BYTES + 32


@dataclass(frozen=True)
class Pair:
    """Both halves; `_raw` is the ML-KEM-768 seed, then the X25519 private key."""

    _raw: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a new pair."""
        return cls(MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_secret(cls, raw: bytes) -> Self:
        """Return the pair of a private half; raises UnavailableError when it cannot be one."""
        if len(raw) != PRIVATE_BYTES:
            raise UnavailableError("This is no private key that opens anything here.")
        return cls(raw)

    @property
    def secret(self) -> Secret:
        """The private half, from which `from_secret` makes the pair again."""
        return Secret(self._raw)

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
            raise self._unfit() from error

    def _unfit(self) -> UnavailableError:
        return UnavailableError(
            "This key does not open what was sealed for another one. Nothing was handed out.",
            next_step="Ask for it again where you asked for it first.",
        )

    def _keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        seed, scalar = self._raw[:MLKEM_SEED_BYTES], self._raw[MLKEM_SEED_BYTES:]
        return MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
