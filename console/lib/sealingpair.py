"""The pair of a process, in files: it opens what `console.lib.sealing` sealed. Contracts keep the web from it."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from console.lib.errors import UnavailableError
from console.lib.pair import PRIVATE_BYTES, Pair
from console.lib.sealing import SERVER, Owner, info, read_half
from console.lib.secret import Secret


@dataclass(frozen=True)
class SealingPair(Pair):
    """A pair that outlives its process."""

    owner: Owner = field(default=SERVER, compare=False)

    @classmethod
    def load(cls, path: Path, owner: Owner = SERVER) -> Self:
        """Read the pair from a file of hex digits; raises UnavailableError when it is missing or damaged."""
        try:
            return cls(read_half(path, PRIVATE_BYTES), owner)
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"The sealing key of {owner.name} ({path.name}) cannot be read, so what is sealed for it stays shut.",
                next_step=owner.lost,
            ) from error

    def save(self, private_path: Path, public_path: Path) -> None:
        """Write both halves, the private one with mode 0600; an existing file is never overwritten."""
        for path, content, mode in ((private_path, self._raw, 0o600), (public_path, self.public.raw, 0o644)):
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w", encoding="ascii") as file:
                file.write(content.hex())
                file.flush()
                os.fsync(file.fileno())

    def derive(self, purpose: str) -> Secret:
        """Return 32 bytes that only this pair yields, for one purpose (HKDF-SHA256, RFC 5869)."""
        return Secret(HKDF(SHA256(), 32, salt=None, info=info(purpose, "")).derive(self._raw))

    def _unfit(self) -> UnavailableError:
        return UnavailableError(
            f"A sealed value does not open with the sealing key of {self.owner.name}. Nothing was changed.",
            next_step=self.owner.unfit,
        )
