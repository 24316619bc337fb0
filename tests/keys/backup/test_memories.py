"""What a restore says of clients: names from the rows that went, and what has to be done in any case."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError

from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys.backup import aftercare, memories, restoring
from keys.backup.restoring import Wishes
from keys.models.backup import Backup
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from tests.keys.backup.conftest import PASSPHRASE
from tests.keys.conftest import ALICE
from tests.trust import rows
from trust.clients import memory, pending, readmission, revoking
from trust.infrastructure import credentials, stranded
from trust.models.clients import Client
from trust.models.credentials import Credential

DAY = timedelta(days=1)


def credential(server: Server, note: str) -> Credential:
    now = clock.now()
    return Credential.objects.create(
        server=server, note=note, secret_sha256="0" * 64, most_uses=5, created_at=now, expires_at=now + 30 * DAY
    )


@pytest.mark.django_db(transaction=True)
def test_a_restored_server_says_what_it_forgot(furnished: Root, back_up: Callable[..., Backup]) -> None:
    """Revoked, enrolled, certified and withdrawn after the backup: each is named, and so is what holds again."""
    server, issuer = furnished.server, Subordinate.objects.get(purpose="client-tls-ca")
    for name in ("stolen", "renewed", "quiet", "allowed"):
        rows.client(server, f"{name}.example.com", created_at=clock.now() - DAY)
    withdrawn = credential(server, "branch")
    pending.allow_once(Client.objects.get(name="allowed.example.com"), actor=ALICE)
    backup = back_up()

    revoking.revoke(Client.objects.get(name="stolen.example.com"), "stolen", actor=ALICE)
    rows.certificate(Client.objects.get(name="renewed.example.com"), issuer)
    rows.certificate(rows.client(server, "new.example.com"), issuer)
    credentials.withdraw(withdrawn, stranded.stranded(withdrawn).digest, actor=ALICE)
    rows.revoke(furnished)
    rows.revoke(rows.root(server, 7))  # made and revoked since: it does not come back
    said = restore(backup)
    named = "\n".join(said)
    root = f"{furnished.name} ({str(furnished.fingerprint)[:16]}…)"
    assert f"Root keys revoked after the backup, and active again: {root}. Revoke" in named
    assert "Root 7" not in named
    assert "Revoked after the backup, and valid again: stolen.example.com. Revoke" in named
    assert "does not know any more: renewed.example.com. Each" in named
    assert "Enrolled after the backup, and unknown now: new.example.com." in named
    assert f"Withdrawn after the backup, and enrolling again: {withdrawn.short} (branch)." in named
    assert "quiet" not in named
    assert Client.objects.get(name="stolen.example.com").state == "active"  # as the sentence says

    # An administrator who decides about those clients reads the same later, from the log.
    kept = readmission.offered(server, clock.now())
    assert kept is not None
    assert kept.made_at == restoring.read_header(Path(backup.path)).made_at
    assert set(kept.forgotten) < set(said)

    # On an empty machine nothing can be named from before; what came back can.
    after = "\n".join(aftercare.findings(restoring.read_header(Path(backup.path)).made_at))
    assert f"Active root keys: {root}. If one of them was revoked after" in after
    assert "Whoever was revoked since is valid again" in after
    assert "Of 4 known clients, 0 must have renewed since" in after
    assert f"also when they were withdrawn or used up since: {withdrawn.short} (branch)." in after
    assert "May enrol once without proof, also when they did so since: allowed.example.com." in after


def restore(backup: Backup) -> list[str]:
    said: list[str] = []
    actor = Actor.system("restore")
    restoring.restore(Path(backup.path), PASSPHRASE, wishes=Wishes(force=True), actor=actor, say=said.append)
    return said


@pytest.mark.django_db
def test_many_are_counted_and_nothing_is_said_of_no_clients(server: Server) -> None:
    since = clock.now() - DAY
    assert [*memory.ClientMemory().going(since), *memory.ClientMemory().missing(since)] == []
    for number in range(memory.NAMED + 3):
        rows.client(server, f"pc{number:02}.example.com", state="revoked", revoked_at=clock.now())
    (said,) = memory.ClientMemory().going(since)
    assert "pc00.example.com, pc01" in said
    assert "pc19.example.com and 3 more. Revoke" in said


def test_a_database_that_cannot_be_read_hinders_no_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(memory.ClientMemory):
        def going(self, since: datetime) -> Iterator[str]:
            raise DatabaseError(f"nothing newer than {since} can be read")

    monkeypatch.setattr(memories, "_memories", {"clients": Broken()})
    assert memories.going(clock.now()) == [memories.UNREADABLE]
