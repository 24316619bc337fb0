"""Where a command gets a passphrase from: the environment, a file, or a person at a terminal; never an argument."""

import getpass
import sys
from pathlib import Path

from console import env
from console.lib.errors import InvalidError
from console.lib.secret import Secret

VARIABLE = "KEYSTEAD_BACKUP_PASSPHRASE"


def read(file: str | None, *, twice: bool) -> Secret:
    """Return the passphrase from `file` (first line), from VARIABLE or VARIABLE_FILE, or as it is typed.

    Raises InvalidError when there is none, or when it was typed differently the second time.
    """
    if file is not None:
        return Secret(_first_line(Path(file)))
    if given := env.secret(VARIABLE, ""):
        return Secret(given)
    if not sys.stdin.isatty():
        raise InvalidError(
            "There is no passphrase.", next_step=f"Set {VARIABLE} or {VARIABLE}_FILE, or name a --passphrase-file."
        )
    typed = getpass.getpass("Passphrase of the backup: ")
    if twice and typed != getpass.getpass("The same once more: "):
        raise InvalidError("The two differ. Nothing was done.", field="passphrase")
    return Secret(typed)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"The passphrase in {path} cannot be read.") from error
