"""A PostgreSQL cluster of our own, on a Unix socket in a temporary folder, gone when it is left."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIVATE = "-c listen_addresses='' -c max_connections=60"
# A test needs nothing to survive a power cut.
QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
USER = "keystead"


@contextlib.contextmanager
def cluster(*, durable: bool = False) -> Iterator[str]:
    """Start a cluster and yield its DATABASE_URL; its user may do everything, as flushing asks (tests.fixtures).

    With `durable` every commit reaches the disk, as in production.
    """
    folder = Path(tempfile.mkdtemp(prefix="keystead-pg-"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            account = _other_account()
            os.chown(folder, account.pw_uid, account.pw_gid)
            as_user: tuple[str, ...] = ("runuser", "-u", account.pw_name, "--")
        else:
            as_user = ()
        _call(*as_user, _program("initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C")
        _call(
            *(*as_user, _program("pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w", "start"),
            *("-o", f"{PRIVATE} {'' if durable else QUICK} -k {folder}"),
        )
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            _call(*as_user, _program("pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_account() -> pwd.struct_passwd:
    """Return an account to run PostgreSQL as: it refuses to run as root."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise SystemExit("There is neither a user postgres nor a user nobody to run PostgreSQL as.")


def _program(name: str) -> str:
    """Return the newest installed one: Debian keeps servers off the PATH, one folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    if not path:
        raise SystemExit(f"{name} is not installed: it is in the Debian package postgresql.")
    return path


def _call(*command: str) -> None:
    # A server that is left running would keep a pipe open, so what it says goes to a file of its own.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=False)
        if done.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{command} failed:\n{said.read().decode('utf-8', 'replace')}")
