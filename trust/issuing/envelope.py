"""The file on the disk: one line that anybody may read, then what only the listener opens.

    keystead-issuing 1 <SHA-256, hex, of what the file stands for>
    <HPKE, purpose `issuing`, row: the server's name>

The line lets the worker see whether the file is still true without opening anything; the listener does not believe it.
"""

import os
from contextlib import suppress
from pathlib import Path

MAGIC = b"keystead-issuing 1 "
MODE = 0o640  # the listener is another user of the same group
DIGEST_CHARACTERS = 64


def digest_of(path: Path) -> str:
    """Return the digest in the first line; nothing when there is no such file, or another one."""
    with suppress(OSError), path.open("rb") as file:
        line = file.readline(len(MAGIC) + DIGEST_CHARACTERS + 1)
        if line.startswith(MAGIC) and line.endswith(b"\n"):
            return line[len(MAGIC) : -1].decode("ascii", "replace")
    return ""


def sealed_part(content: bytes) -> bytes:
    """Return what follows the first line; raises ValueError for a file of another kind, or a part of one."""
    line, end, sealed = content.partition(b"\n")
    if not line.startswith(MAGIC) or not end or not sealed:
        raise ValueError("This is not an issuing file.")
    return sealed


def write(path: Path, digest: str, sealed: bytes) -> None:
    """Put the file in place, whole or not at all, on the disk before it counts."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)  # whatever the umask of the process is
            file.write(MAGIC + digest.encode("ascii") + b"\n" + sealed)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
