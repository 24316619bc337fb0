"""Bring a server back from an archive, on a machine that holds nothing yet.

Everything in the archive is read and verified before anything is changed. Then the database is replaced in one
transaction, and the files take their places; what was there before is moved aside, never deleted.
"""

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from console.accounts.models import User
from console.activity import headfile, log
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError, RefusedError
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from console.servers.models import Server
from keys.actions import Action
from keys.backup import archive, database, memories
from keys.backup.archive import Member, Written
from keys.backup.header import Header, Label
from keys.models.backup import Backup

DATABASE = "database/"
KEPT_SECRET_KEY = "secret-key.restored"  # noqa: S105 - the name of a file
# Read by the web process, which has another user in production; everything else is the worker's alone.
MODES = {"sealing.pub": 0o644, headfile.NAME: headfile.MODE}
MADE = "Made. This server was restored from it."


@dataclass(frozen=True)
class Wishes:
    """What the administrator accepted: to replace what is there, and an archive that is for planning only."""

    force: bool = False
    accept_pre_revocation: bool = False


def read_header(path: Path) -> Header:
    """Return what an archive says of itself in clear; raises InvalidError for another file."""
    try:
        with path.open("rb") as file:
            return Header.read(file)
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}.", code="no-backup") from error


def refuse_early(path: Path, *, wishes: Wishes) -> Header:
    """Return the header, or raise RefusedError for what needs no passphrase to be refused."""
    header = read_header(path)
    _check_label(header, wishes)
    _check_server(header)
    _make_tables()
    _check_version(header)
    _check_empty(wishes)
    return header


def restore(path: Path, passphrase: Secret, *, wishes: Wishes, actor: Actor, say: Callable[[str], None]) -> Header:
    """Restore the server of this machine from an archive; `say` gets sentences about what was done.

    Raises RefusedError (not empty, a pre-revocation archive, another server, another version) and InvalidError
    (wrong passphrase, damage), each before anything was changed.
    """
    header = refuse_early(path, wishes=wishes)
    files = _verified_files(path, passphrase)
    written = archive.measure(path)
    drafts = [_draft(place, content) for place, content in _places(files)]
    going = memories.going(header.made_at)
    with transaction.atomic():
        count = database.replace_everything(_database_parts(path, passphrase))
        _close_own_backup(header, path, written)
        server = Server.objects.get(fqdn=header.server)
        details = {"label": header.label, "made": header.created_at, "file": path.name, "sha256": written.sha256}
        # The rows that knew it are gone: what they named is kept for whoever decides about clients.
        forgotten = {"forgotten": going} if going else {}
        log.append(Action.BACKUP_RESTORED, server.subject, actor=actor, details=details | forgotten)
    for draft, place in drafts:
        if aside := _move_aside(place):
            say(f"{place} was there before; it is {aside.name} now.")
        draft.rename(place)
        if place.name == KEPT_SECRET_KEY:
            say(f"SECRET_KEY of the archive is in {place}: give it to the web process, or second factors do not open.")
    worker_pair.cache_clear()
    say(f"{count:,} rows and {len(drafts)} files of {header.server} are back.")
    for sentence in going:
        say(sentence)
    return header


def obstacles() -> list[str]:
    """Return what this machine holds already."""
    found = []
    if Server.objects.exists() or User.objects.exists():
        found.append("the platform database has servers or users")
    found += [f"{path} exists" for path in (settings.PKI_DATABASE, settings.SEALING_KEY_FILE) if path.exists()]
    return found


def _check_label(header: Header, wishes: Wishes) -> None:
    if header.label is Label.PRE_REVOCATION and not wishes.accept_pre_revocation:
        raise RefusedError(
            "This archive was made before a revocation. It brings back root keys that were revoked since, and knows "
            "nothing of the revocation: it is for planning only. Nothing was restored.",
            code="pre-revocation",
            next_step="Restore the post-revocation archive. To restore this one all the same, add "
            "--accept-pre-revocation, and revoke those keys again afterwards.",
        )


def _check_server(header: Header) -> None:
    if header.server != settings.SERVER_NAME:
        raise RefusedError(
            f"The archive is of {header.server}, and this machine is {settings.SERVER_NAME}. Nothing was restored.",
            code="another-server",
            next_step=f"Set KEYSTEAD_SERVER_NAME to {header.server}.",
        )


def _make_tables() -> None:
    # On an empty machine there is not even a folder for the database.
    settings.STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    if Server._meta.db_table not in connection.introspection.table_names():
        call_command("migrate", verbosity=0, interactive=False)


def _check_version(header: Header) -> None:
    here = database.migrations()
    if header.migrations != here:
        differing = sorted(
            name for name in here.keys() | header.migrations.keys() if here.get(name) != header.migrations.get(name)
        )
        raise RefusedError(
            f"The archive was made by another version of the console ({', '.join(differing)}). Nothing was restored.",
            code="another-version",
            next_step="Restore it with the version that made it, then upgrade.",
        )


def _check_empty(wishes: Wishes) -> None:
    if not wishes.force and (found := obstacles()):
        raise RefusedError(
            f"This machine is not empty: {'; '.join(found)}. Nothing was restored.",
            code="not-empty",
            next_step="Restore into an empty machine. To replace what is here, stop the console and add --force: the "
            "database's contents are lost then, the files are kept beside the new ones.",
        )


def _members(path: Path, passphrase: Secret) -> Iterator[Member]:
    with path.open("rb") as file:
        header = Header.read(file)
        yield from archive.read(file, header, passphrase)


def _verified_files(path: Path, passphrase: Secret) -> dict[str, bytes]:
    """Read the archive to its end and return the members that become files; the database is read again later."""
    return {member.name: member.content for member in _members(path, passphrase) if not _is_database(member)}


def _database_parts(path: Path, passphrase: Secret) -> Iterator[bytes]:
    return (gzip.decompress(member.content) for member in _members(path, passphrase) if _is_database(member))


def _is_database(member: Member) -> bool:
    return member.name.startswith(DATABASE)


def _places(files: dict[str, bytes]) -> Iterator[tuple[Path, bytes]]:
    places = {
        "pki.db": settings.PKI_DATABASE,
        "sealing.key": settings.SEALING_KEY_FILE,
        "sealing.pub": settings.SEALING_PUBLIC_FILE,
        "secret-key": secret_key_file(),
        headfile.NAME: settings.LOG_DIR / headfile.NAME,
    }
    for name, content in files.items():
        if name not in places:
            raise InvalidError(f"The archive holds {name}, which this version does not know. Nothing was restored.")
        if not (name == "secret-key" and content == settings.SECRET_KEY.encode()):
            yield places[name], content


def secret_key_file() -> Path:
    """Return where SECRET_KEY comes from; where that is no file of ours to write, one for the administrator."""
    own = settings.STATE_DIR / "secrets" / "secret-key"
    path = Path(os.environ.get("SECRET_KEY_FILE", own))
    # systemd hands credentials over in a folder that is read-only, and gone afterwards.
    given = "SECRET_KEY" in os.environ or not (os.access(path.parent, os.W_OK) or path == own)
    return own.with_name(KEPT_SECRET_KEY) if given else path


def _draft(place: Path, content: bytes) -> tuple[Path, Path]:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(place.name + ".restoring")
    draft.unlink(missing_ok=True)
    mode = MODES.get(place.name, 0o600)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft, place


def _move_aside(place: Path) -> Path | None:
    moved = None
    for path in sorted(place.parent.glob(f"{place.name}*")):
        # SQLite's -wal and -shm belong to the file that goes; they would spoil the one that comes.
        if path.name in {place.name, f"{place.name}-wal", f"{place.name}-shm"}:
            aside = path.with_name(f"{path.name}.before-restore-{clock.now():%Y%m%dT%H%M%SZ}")
            path.rename(aside)
            moved = moved or aside
    return moved


def _close_own_backup(header: Header, path: Path, written: Written) -> None:
    """Finish the row of this very archive: when the database was read, it was still being made."""
    Backup.objects.filter(pk=header.backup_id, finished_at=None).update(
        finished_at=clock.now(),
        path=str(path),
        size=written.size,
        sha256=written.sha256,
        roots=list(header.roots),
        not_contained=list(header.not_contained),
    )
    own = Job.objects.filter(subject_kind="backup", subject_id=header.backup_id, state__in=OPEN)
    own.update(state=State.SUCCEEDED, message=MADE, finished_at=clock.now(), lease_until=None)
