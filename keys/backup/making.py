"""Make a backup: one state of the platform database, with the key store and the sealing keys that belong to it.

Worker only. The order matters: the database first says what it knows, then the key store is copied, so that a key
which the archive's database calls active is in the archive's key store (keys are made the other way round).
"""

import gzip
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from console import pkilog
from console.activity import headfile, log
from console.activity.headfile import HeadLine
from console.activity.models import SignedHead
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConsoleError, UnavailableError
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from console.servers.current import current
from console.servers.models import Server
from hsm.device.local import LocalStore
from keys import keystore
from keys.actions import Action
from keys.backup import archive, asking, database
from keys.backup.archive import Member, Written
from keys.backup.header import Header, Label, moment
from keys.models.backup import Backup
from keys.models.keypair import KeyPair, Store
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate, SubordinateState

SUFFIX = ".keystead-backup"
STALE_S = 24 * 3600
UNFORESEEN = "The backup stopped on an unexpected error. The worker's log has the details."
NO_SECRET_KEY = "The SECRET_KEY of the web process: second factors must be set up again"  # noqa: S105 - words


def make_requested(backup_id: str, *, actor: Actor) -> str:
    """Make the backup that was asked for on the page, and return what to say of it; its passphrase goes in any case."""
    backup = Backup.objects.get(pk=backup_id)
    if backup.sealed_passphrase is None:
        raise UnavailableError("The passphrase of this backup is gone. No archive was made.", next_step="Ask again.")
    try:
        passphrase = worker_pair().open(bytes(backup.sealed_passphrase), purpose=asking.PURPOSE, row_id=str(backup.pk))
    except ConsoleError as error:
        asking.give_up(backup_id, error.message)
        raise
    make(backup, passphrase, actor=actor)
    return f"Written to {backup.path}, {backup.size:,} bytes, SHA-256 {backup.sha256}."


def make(backup: Backup, passphrase: Secret, *, actor: Actor) -> None:
    """Write the archive and the row. Raises UnavailableError (disk full, a key that went meanwhile), DeviceError."""
    try:
        header, path, written = _write(backup, passphrase)
    except Exception as error:
        problem = str(getattr(error, "message", UNFORESEEN))
        asking.give_up(str(backup.pk), problem)
        pkilog.write("backup", component="keys.backup", subject=str(backup), result=problem, level=pkilog.Level.ERROR)
        raise
    backup.path, backup.size, backup.sha256 = str(path), written.size, written.sha256
    backup.roots, backup.not_contained = list(header.roots), list(header.not_contained)
    backup.finished_at, backup.sealed_passphrase = clock.now(), None
    with transaction.atomic():
        backup.save()
        details = {
            "label": backup.label,
            "file": path.name,
            "size": written.size,
            "sha256": written.sha256,
            "not contained": backup.not_contained,
        }
        log.append(Action.BACKUP_MADE, backup.subject, actor=actor, details=details)
    pkilog.write("backup", component="keys.backup", subject=path.name, result="ok")


def _write(backup: Backup, passphrase: Secret) -> tuple[Header, Path, Written]:
    now, server = clock.now(), current()
    folder = settings.BACKUP_DIR
    archive.make_folder(folder)
    _tidy(folder)
    path = folder / f"{server.fqdn}-{backup.label}-{now:%Y%m%dT%H%M%SZ}-{backup.pk.hex[:8]}{SUFFIX}"
    with ExitStack() as open_until_written:
        # Rows, key store and sealing key of one moment: nothing changes what opens what in between.
        with keystore.exclusive():
            open_until_written.enter_context(database.snapshot())
            copy = open_until_written.enter_context(_copy_of_key_store(folder))
            files = list(_files())
        _check_holds(copy, server)
        header = Header(
            backup_id=str(backup.pk),
            label=Label(backup.label),
            server=server.fqdn,
            created_at=moment(now),
            roots=tuple(Root.objects.active(server).order_by("number").values_list("name", flat=True)),
            not_contained=tuple(_not_contained(server)),
            migrations=database.migrations(),
        )
        members = chain([Member("pki.db", copy.read_bytes())], files, _rows_and_heads(server))
        written = archive.write(path, header, passphrase, members)
    return header, path, written


def _not_contained(server: Server) -> Iterator[str]:
    for model in (Root, Subordinate):
        on_token = model._base_manager.filter(server=server, store=Store.TOKEN, destroyed_at=None)
        for key in on_token.select_related("binding").order_by("created_at"):
            yield f"{key.name}: its private key stays on the {key.store_label}"
    for other in Server.objects.exclude(pk=server.pk):
        yield f"The key store and the sealing keys of {other.fqdn}: make a backup there as well"
    if settings.SECRET_KEY_IS_TEMPORARY:
        yield NO_SECRET_KEY


def _files() -> Iterator[Member]:
    yield Member("sealing.key", settings.SEALING_KEY_FILE.read_bytes())
    yield Member("sealing.pub", settings.SEALING_PUBLIC_FILE.read_bytes())
    if not settings.SECRET_KEY_IS_TEMPORARY:
        yield Member("secret-key", settings.SECRET_KEY.encode())


def _rows_and_heads(server: Server) -> Iterator[Member]:
    yield Member(headfile.NAME, b"".join(_head_lines(server)))
    for number, part in enumerate(database.dump()):
        yield Member(f"database/{number:06}.jsonl.gz", gzip.compress(part, mtime=0))


def _head_lines(server: Server) -> Iterator[bytes]:
    """Yield the signed heads that the snapshot knows: a later one would say that rows are missing."""
    path = settings.LOG_DIR / headfile.NAME
    newest = SignedHead.objects.filter(server=server.fqdn).aggregate(newest=Max("seq"))["newest"] or 0
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        try:
            is_known = HeadLine.parse(line).seq <= newest
        except ValueError:
            is_known = True  # a damaged line stays evidence
        if is_known:
            yield line


@contextmanager
def _copy_of_key_store(folder: Path) -> Iterator[Path]:
    copy = folder / f".pki-{os.urandom(8).hex()}.part"
    try:
        with keystore.open_local_store() as store:
            store.copy_to(copy)
        yield copy
    finally:
        for path in folder.glob(f"{copy.name}*"):  # SQLite puts files beside it
            path.unlink(missing_ok=True)


def _check_holds(copy: Path, server: Server) -> None:
    there = {record.key_id for record in LocalStore(copy, list).records()}
    for key in _local_keys(server):
        if key.cka_id not in there:
            raise UnavailableError(
                f"{key.name} was being destroyed while the backup was made, so the two would not fit together. "
                "No archive was made.",
                code="key-not-in-store",
                next_step="Make the backup again. If that fails too, pki.db has lost this key.",
            )


def _local_keys(server: Server) -> Iterator[KeyPair]:
    living = {"server": server, "store": Store.LOCAL, "destroyed_at": None}
    yield from Root.objects.filter(**living, state=RootState.ACTIVE)
    yield from Subordinate.objects.filter(**living, state=SubordinateState.ACTIVE)


def _tidy(folder: Path) -> None:
    # What a killed worker left. It is encrypted, or a copy of pki.db, which is encrypted too.
    oldest = clock.now().timestamp() - STALE_S
    for path in [*folder.glob(f"*{SUFFIX}.part"), *folder.glob(".pki-*.part*")]:
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
