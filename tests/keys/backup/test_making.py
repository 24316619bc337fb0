"""Making a backup: whole or not at all, and its passphrase gone whatever happens (AMB-22, KEY-28 to KEY-31)."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from pytest_django import Settings

from console.activity import headfile, log
from console.activity.models import Entry
from console.jobs import queue, sweeping
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import InvalidError, UnavailableError
from console.lib.secret import Secret
from console.servers.models import Server
from keys import logkey
from keys.backup import archive, asking, database, making
from keys.backup.header import Header, Label
from keys.backup.stream import Writer
from keys.keystore import open_local_store
from keys.models.backup import Backup
from keys.models.root import Root
from tests.keys.backup.conftest import PASSPHRASE, archives
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db(transaction=True)
BackUp = Callable[..., Backup]


def test_what_is_in_it(furnished: Root, back_up: BackUp, settings: Settings, server: Server) -> None:
    """KEY-31; label, server, time and root names in clear, everything else encrypted."""
    backup = back_up("post-revocation")
    assert backup.problem == ""
    path = Path(backup.path)
    assert path.parent == settings.BACKUP_DIR
    assert (backup.size, backup.sha256) == (path.stat().st_size, archive.measure(path).sha256)
    with path.open("rb") as file:
        header = Header.read(file)
        members = {member.name: member.content for member in archive.read(file, header, PASSPHRASE)}
    assert (header.label, header.server, header.roots) == (Label.POST_REVOCATION, server.fqdn, (furnished.name,))
    assert {"pki.db", "sealing.key", "sealing.pub", "activity-heads.log", "database/000000.jsonl.gz"} <= set(members)
    lines = gzip.decompress(members["database/000000.jsonl.gz"])
    rows = [json.loads(line) for line in lines.splitlines()]
    assert {"keys.root", "activity.entry", "settings_store.setting", "accounts.user"} <= {row["model"] for row in rows}
    assert b"sessions.session" not in lines
    (own,) = (row["fields"] for row in rows if row["model"] == "keys.backup")
    assert own["sealed_passphrase"] is None
    assert archives(settings.BACKUP_DIR) == [path]
    assert asking.latest() == backup
    assert asking.latest("pre-revocation") is None
    made = Entry.objects.get(action="keys.backup.made")
    assert (made.actor, json.loads(made.details)["sha256"]) == ("alice", backup.sha256)


def test_the_passphrase_is_never_in_clear_and_goes(furnished: Root, run_jobs: Callable[..., Any]) -> None:
    backup = asking.request("manual", PASSPHRASE, actor=ALICE)
    assert PASSPHRASE.reveal_bytes() not in bytes(backup.sealed_passphrase or PASSPHRASE.reveal_bytes())
    run_jobs()
    assert Backup.objects.get().sealed_passphrase is None
    with connection.cursor() as cursor:
        for table in ("keys_backup", "jobs_job", "activity_entry"):
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of three names
            assert PASSPHRASE.reveal_text() not in repr(cursor.fetchall())


def test_a_short_passphrase(server: Server) -> None:
    with pytest.raises(InvalidError) as caught:
        asking.request("manual", Secret("short"), actor=ALICE)
    assert caught.value.field == "passphrase"
    assert not Backup.objects.exists()


def test_keys_on_a_token_are_named(
    make_root: Callable[..., Root], use_token: Callable[..., None], softhsm: Any, back_up: BackUp
) -> None:
    """KEY-30."""
    use_token(softhsm.token("alpha"), "Root")
    root = make_root()
    backup = back_up()
    assert backup.not_contained[0] == f"{root.name}: its private key stays on the HSM token alpha"


def test_a_full_disk(furnished: Root, settings: Settings, back_up: BackUp) -> None:
    """A clear error, no archive, no passphrase left."""
    real = Writer.write

    def full(self: Writer, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "write", full)
        backup = back_up()
    assert "No space left on device" in backup.problem
    assert (backup.sealed_passphrase, backup.finished_at) == (None, None)
    assert archives(settings.BACKUP_DIR) == []
    assert Job.objects.get(subject_id=str(backup.pk)).error_code == "backup-not-written"
    assert Writer.write is real
    assert back_up().finished_at


def test_a_folder_that_cannot_be(furnished: Root, settings: Settings, back_up: BackUp) -> None:
    settings.BACKUP_DIR = Path("/dev/null/backups")
    backup = back_up()
    assert "Not a directory" in backup.problem
    assert backup.sealed_passphrase is None


def test_a_lost_worker_and_a_cancelled_job_leave_no_passphrase(server: Server) -> None:
    lost = asking.request("manual", PASSPHRASE, actor=ALICE)
    Job.objects.filter(subject_id=str(lost.pk)).update(
        state=State.RUNNING, attempts=1, lease_until=clock.now() - timedelta(seconds=1)
    )
    sweeping.settle_lost(server, clock.now())
    cancelled = asking.request("manual", PASSPHRASE, actor=ALICE)
    queue.cancel(Job.objects.get(subject_id=str(cancelled.pk)), actor=ALICE)
    for backup, problem in ((lost, asking.LOST), (cancelled, "Cancelled.")):
        backup.refresh_from_db()
        assert (backup.sealed_passphrase, backup.problem) == (None, problem)
    states = Job.objects.filter(kind_name="keys.back-up").order_by("created_at").values_list("state", flat=True)
    assert list(states) == [State.FAILED, State.CANCELLED]


def test_a_key_that_goes_meanwhile(furnished: Root, settings: Settings, back_up: BackUp) -> None:
    """The database says that the key lives and the copied store has lost it: no archive of two that do not fit."""
    with open_local_store() as store:
        store.remove(furnished.cka_id)
    backup = back_up()
    assert f"{furnished.name} was being destroyed" in backup.problem
    assert archives(settings.BACKUP_DIR) == []


def test_one_state_while_others_write(server: Server) -> None:
    """The dump shows the database at its beginning, and nobody waits for it."""
    seen: list[str] = []

    def write() -> None:
        with transaction.atomic():
            seen.append(log.append("later", server.subject, actor=ALICE).hash)
        connections.close_all()

    with transaction.atomic():
        log.append("earlier", server.subject, actor=ALICE)
    with database.snapshot():
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=120)
        dumped = b"".join(database.dump())
    assert seen
    assert b'"earlier"' in dumped
    assert b'"later"' not in dumped
    assert seen[0].encode() not in dumped


def test_a_head_signed_meanwhile_stays_out(furnished: Root, back_up: BackUp, settings: Settings) -> None:
    """The file of signed heads is read after the rows: a newer head would look like rows that were deleted."""
    real, signed = database.snapshot, []

    @contextmanager
    def snapshot() -> Iterator[None]:
        def sign() -> None:
            with transaction.atomic():
                log.append("later", furnished.subject, actor=ALICE)
            signed.append(logkey.sign_head())
            connections.close_all()

        with real():
            signer = threading.Thread(target=sign)
            signer.start()
            signer.join()
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "snapshot", snapshot)
        backup = back_up()
    assert signed == [True]
    with Path(backup.path).open("rb") as file:
        members = {member.name: member.content for member in archive.read(file, Header.read(file), PASSPHRASE)}
    in_archive, on_disk = members[headfile.NAME], (settings.LOG_DIR / headfile.NAME).read_bytes()
    assert in_archive
    assert on_disk.startswith(in_archive)
    assert len(on_disk.splitlines()) == len(in_archive.splitlines()) + 1


def test_what_a_killed_worker_left_is_tidied(furnished: Root, settings: Settings, back_up: BackUp) -> None:
    import os

    settings.BACKUP_DIR.mkdir()
    old, fresh = settings.BACKUP_DIR / f"x{making.SUFFIX}.part", settings.BACKUP_DIR / f"y{making.SUFFIX}.part"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    back_up()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_passphrase_that_is_gone(server: Server) -> None:
    backup = asking.begin("manual", actor=ALICE)
    with pytest.raises(UnavailableError):
        making.make_requested(str(backup.pk), actor=ALICE)
