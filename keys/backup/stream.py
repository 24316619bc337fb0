"""An encrypted stream under a passphrase: scrypt and AES-256-GCM in segments, by the STREAM construction.

STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
CRYPTO 2015, §7): each segment is sealed with the nonce `prefix || counter || last?`, so that segments cannot be
dropped, moved, repeated or cut off at the end. The header of the archive is associated data of every segment.
"""

import io
from dataclasses import dataclass
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from console.lib.errors import InvalidError
from console.lib.secret import Secret

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
PREFIX_BYTES = 7
KEY_BYTES = 32
MAX_SEGMENTS = 2**32


@dataclass(frozen=True)
class Cost:
    """Parameters of scrypt (RFC 7914 §2): `n` = 2^17 with `r` = 8 takes 128 MiB and about 0.4 s."""

    n: int = 2**17
    r: int = 8
    p: int = 1

    def key(self, passphrase: Secret, salt: bytes) -> bytes:
        """Return the key; an archive that asks for more than a gigabyte is refused with InvalidError."""
        if self.n > 2**20 or self.n * self.r * self.p > 2**24 or min(self.n, self.r, self.p) < 1:
            raise InvalidError("The archive asks for an absurd amount of memory. It is not one of ours.")
        return Scrypt(salt=salt, length=KEY_BYTES, n=self.n, r=self.r, p=self.p).derive(passphrase.reveal_bytes())


class _Segments:
    def __init__(self, key: bytes, prefix: bytes, header: bytes) -> None:
        self._cipher = AESGCM(key)
        self._prefix = prefix
        self._header = header
        self._counter = 0

    def _nonce(self, *, last: bool) -> bytes:
        if self._counter >= MAX_SEGMENTS:
            raise InvalidError("The archive is too large.")
        nonce = self._prefix + self._counter.to_bytes(4) + bytes([last])
        self._counter += 1
        return nonce


class Writer(_Segments, io.RawIOBase):
    """Encrypts what is written to `file`. `finish` writes the last segment; without it the stream does not open."""

    def __init__(self, file: IO[bytes], *, key: bytes, prefix: bytes, header: bytes) -> None:
        super().__init__(key, prefix, header)
        self._file = file
        self._held = bytearray()

    def writable(self) -> bool:
        """Tell io that this is the writing half."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take the bytes; whole segments go to the file, but never the last one."""
        self._held += data
        while len(self._held) > SEGMENT_BYTES:
            self._put(bytes(self._held[:SEGMENT_BYTES]), last=False)
            del self._held[:SEGMENT_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last segment."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, segment: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(self._nonce(last=last), segment, self._header))


class Reader(_Segments, io.RawIOBase):
    """Decrypts `file`. Reading raises InvalidError at the first segment that does not verify."""

    def __init__(self, file: IO[bytes], *, key: bytes, prefix: bytes, header: bytes) -> None:
        super().__init__(key, prefix, header)
        self._file = file
        self._open = b""
        self._ahead = file.read(SEGMENT_BYTES + TAG_BYTES)
        self._ended = False

    def readable(self) -> bool:
        """Tell io that this is the reading half."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what is left of the present segment, or of the next."""
        if not self._open and not self._ended:
            self._next()
        taken = self._open[: len(buffer)]
        buffer[: len(taken)] = taken
        self._open = self._open[len(taken) :]
        return len(taken)

    def _next(self) -> None:
        sealed, self._ahead = self._ahead, self._file.read(SEGMENT_BYTES + TAG_BYTES)
        self._ended = not self._ahead
        is_first = self._counter == 0
        try:
            self._open = self._cipher.decrypt(self._nonce(last=self._ended), sealed, self._header)
        except (InvalidTag, ValueError) as error:
            what = "Wrong passphrase, or the archive is damaged" if is_first else "The archive is damaged or cut off"
            raise InvalidError(f"{what}. Nothing was restored.", code="archive-does-not-open") from error
