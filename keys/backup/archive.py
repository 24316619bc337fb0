"""The archive file: a line that names the format, the header, and an encrypted tar.

To open one by hand: key = scrypt(passphrase, salt; n, r, p of the header) of 32 bytes; each 65,552 bytes after the
header line are AES-256-GCM with the nonce `prefix || counter (4 bytes) || 0`, the last one with 1 for 0, and with the
header line as associated data. The plaintext is a POSIX tar; its last member, `digests.json`, has the SHA-256 of
every other one; `database/*` are gzip files of JSON lines.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from console.lib.digest import canonical_json
from console.lib.errors import InvalidError, UnavailableError
from console.lib.secret import Secret
from keys.backup.header import MAGIC, Header
from keys.backup.stream import Reader, Writer

DIGESTS = "digests.json"
SKIP = 1024 * 1024


@dataclass(frozen=True)
class Member:
    """One file of the archive; small enough to be held in memory (the database comes in many)."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Written:
    """What was written: size in bytes, and the SHA-256 of the whole file."""

    size: int
    sha256: str


def write(path: Path, header: Header, passphrase: Secret, members: Iterable[Member]) -> Written:
    """Write an archive to `path`, mode 0600, whole or not at all; raises UnavailableError when the disk is full."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            _write(file, header, passphrase, members)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError as error:
        raise _not_written(error, path.parent) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return measure(path)


def make_folder(folder: Path) -> None:
    """Make the folder of the archives, mode 0700; raises UnavailableError where that cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(error, folder) from error


def _not_written(error: OSError, folder: Path) -> UnavailableError:
    return UnavailableError(
        f"The backup could not be written: {error.strerror}. No archive was left behind.",
        code="backup-not-written",
        next_step=f"Make room in {folder}, or set KEYSTEAD_BACKUP_DIR to another folder.",
    )


def measure(path: Path) -> Written:
    """Return size and digest of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(path.stat().st_size, digest)


def read(file: IO[bytes], header: Header, passphrase: Secret) -> Iterator[Member]:
    """Yield the members in order; `file` stands behind the header.

    Raises InvalidError for a wrong passphrase, and for whatever is damaged, cut off or missing: at the latest at the
    end, so nothing may be changed before the last member was read.
    """
    key = header.cost.key(passphrase, header.salt)
    plain = io.BufferedReader(Reader(file, key=key, prefix=header.prefix, header=header.line))
    seen: dict[str, str] = {}
    complete = False
    try:
        with tarfile.open(fileobj=plain, mode="r|") as tar:
            for info in tar:
                extracted = tar.extractfile(info)
                content = extracted.read() if extracted else b""
                if info.name == DIGESTS:
                    complete = seen == json.loads(content)
                    break
                seen[info.name] = hashlib.sha256(content).hexdigest()
                yield Member(info.name, content)
        while plain.read(SKIP):  # the padding of the tar, so that the last segment is verified as well
            pass
    except tarfile.TarError as error:
        raise InvalidError("The archive is damaged. Nothing was restored.", code="archive-does-not-open") from error
    if not complete:
        raise InvalidError("The archive does not hold what it says. Nothing was restored.", code="archive-incomplete")


def _write(file: IO[bytes], header: Header, passphrase: Secret, members: Iterable[Member]) -> None:
    file.write(MAGIC + header.line)
    key = header.cost.key(passphrase, header.salt)
    sealed = Writer(file, key=key, prefix=header.prefix, header=header.line)
    digests: dict[str, str] = {}
    with tarfile.open(fileobj=sealed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            digests[member.name] = hashlib.sha256(member.content).hexdigest()
            _add(tar, member)
        _add(tar, Member(DIGESTS, canonical_json(digests)))
    sealed.finish()


def _add(tar: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.name)
    info.size, info.mode = len(member.content), 0o600
    tar.addfile(info, io.BytesIO(member.content))
