"""Database, static files and set-up: done when the code or the place changed, skipped when not."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from console.supervisor.commands import Run, manage
from console.supervisor.state import PROJECT

# In this order; each is harmless when repeated.
STEPS = (
    ("migrate", "--noinput", "--verbosity", "0"),
    ("createcachetable", "--verbosity", "0"),
    ("collectstatic", "--noinput", "--verbosity", "0"),
    ("setup",),
)
SOURCES = ("console", "settings_store", "hsm", "keys", "trust", "serving", "static", "requirements.lock")
FIRST_PASSWORD_LIVES_S = 24 * 3600


def steps(run: Run) -> tuple[tuple[str, ...], ...]:
    """Return the commands that a start needs; none when nothing changed since they last succeeded."""
    if run.state.recall("prepared").get("for") == fingerprint(run) and not first_password_ran_out(run):
        return ()
    return tuple(manage(*step) for step in STEPS)


def note(run: Run, argv: tuple[str, ...]) -> None:
    """Remember that a command succeeded: the last one makes the whole done."""
    if argv == manage(*STEPS[-1]):
        run.state.remember("prepared", {"for": fingerprint(run)})


def first_password_ran_out(run: Run) -> bool:
    """Whether the file with the first password is older than the password lives; `setup` then settles it."""
    try:
        return run.state.first_password.stat().st_mtime < time.time() - FIRST_PASSWORD_LIVES_S
    except FileNotFoundError:
        return False


def fingerprint(run: Run) -> str:
    """Return a digest of the code, its static files and the place it works on.

    A database file that was deleted makes a new place. Names and sizes with times would be quicker, but a checkout
    that goes back to an older commit may keep them.
    """
    digest = hashlib.sha256()
    for path in source_files():
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    place = [os.environ.get(name, "") for name in ("DATABASE_URL", "DATABASE_URL_FILE", "KEYSTEAD_SERVER_NAME")]
    database = run.state.root / "keystead.db"
    place.append(str(database.stat().st_ino) if database.exists() else "")
    digest.update(repr(place).encode())
    return digest.hexdigest()


def source_files() -> Iterator[Path]:
    """Yield the files whose change asks for a new preparation, in a fixed order."""
    for name in SOURCES:
        top = PROJECT / name
        if top.is_file():
            yield top
        for path in sorted(top.rglob("*")):
            if path.is_file() and (path.suffix == ".py" or name == "static"):
                yield path
