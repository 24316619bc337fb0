"""Log files of the local run, kept to a bounded size. A production host has the journal for this."""

import shutil
from pathlib import Path

LARGEST_BYTES = 10 * 1024 * 1024
KEPT = 5


def rotate(folder: Path, largest_bytes: int = LARGEST_BYTES) -> None:
    """Move what has grown too large to `<name>.log.1`, older ones up to `.5`.

    The writer keeps its file: it is copied and cut to nothing, which an appending writer does not notice. Lines
    written between the two are lost, which a log of processes can bear (the activity log is elsewhere).
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > largest_bytes:
            for number in range(KEPT, 1, -1):
                older = log.with_name(f"{log.name}.{number - 1}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{number}"))
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as stream:
                stream.truncate(0)


def pointer(log: Path, lines: int = 12) -> str:
    """Return where a log is and what it says last, for a message that says why a process ended."""
    try:
        text = log.read_bytes()[-16_384:].decode("utf-8", "replace")
    except OSError:
        text = ""
    last = "\n".join(text.splitlines()[-lines:])
    return f"Its log is {log}; the last lines are:\n\n{last}"
