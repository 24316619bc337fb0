"""After a restore: clients come back by certificates that this server forgot, while an administrator says so."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction

from console.activity import log
from console.activity.models import Entry
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from console.servers.models import Server
from keys import validity
from keys.actions import Action as KeyAction
from keys.models.root import RevocationReason, Root
from keys.models.subordinate import Subordinate, SubordinateState
from tests.keys.conftest import ALICE
from tests.trust import authorities, rows
from tests.trust.clients.est.conftest import Est
from tests.trust.clients.est.requesting import Made, csr, new_key, proven, spki
from trust.actions import Action
from trust.clients import last_key, readmission, revoking, template
from trust.clients.template import Variable
from trust.issuing import opening
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, PendingEnrolment
from trust.models.readmissions import Readmission

pytestmark = pytest.mark.django_db
NAME = "pc1.example.com"
FORGOTTEN = "Revoked after the backup, and valid again: pc7.example.com. Revoke them again."


@dataclass
class World:
    """A client that enrolled at hour 0 and got `chain` at hour 2; a backup of hour 1 was restored at hour 3."""

    est: Est
    server: Server
    began: datetime
    hour: float = 0.0
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def now(self) -> datetime:
        return self.began + timedelta(hours=self.hour)

    def issued(self, hour: float = 2, *, name: str = NAME, hours: int = 168) -> tuple[bytes, ...]:
        """Return what this server issued for the key at that hour, and forgot."""
        issuer = opening.issuing().client_ca
        period = validity.period(self.began + timedelta(hours=hour), hours=hours)
        variable = Variable(template.new_serial(), period, name, spki(self.key))
        leaf = template.make(issuer.certificate_der).issue(variable, issuer.private_key)
        return leaf, issuer.certificate_der

    def ask(self, *chain: bytes, **other: Any) -> tuple[int, str]:
        """Ask for a certificate by a proof that shows this chain; return the status and what is said."""
        asked: dict[str, Any] = {"name": NAME, "key": new_key(), "last_key": self.key} | other
        answer = self.est.post(proven(nonce=self.est.nonce(), chain=chain, **asked))
        return answer.status_code, "" if answer.status_code == 200 else answer.content.decode().strip()

    def restore(self, made_hour: float = 1) -> None:
        """Write down what a restore writes down."""
        made = self.began + timedelta(hours=made_hour)
        details = {"made": made.isoformat(), "forgotten": [FORGOTTEN]}
        with transaction.atomic():
            actor = Actor.system("restore")
            log.append(KeyAction.BACKUP_RESTORED, self.server.subject, actor=actor, details=details)


@pytest.fixture
def world(est: Est, credential: Made, server: Server, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(est, server, clock.now())
    monkeypatch.setattr(clock, "now", made.now)
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 200
    made.hour = 3
    made.restore()
    return made


def test_one_decision_lets_each_client_back_once(world: World, credential: Made) -> None:
    chain, key = world.issued(), new_key()
    not_last = (403, "The proof is not made with the key that was certified last.")
    assert world.ask(*chain) == not_last  # off until somebody decides
    assert world.est.post(csr(NAME, key), authorization=credential.basic).status_code == 202
    decision = readmission.begin(world.server, actor=ALICE)
    with pytest.raises(ConflictError):
        readmission.begin(world.server, actor=ALICE)

    assert world.ask(*chain, last_key=new_key())[1].endswith("it has another key than the proof.")
    assert world.ask() == not_last
    assert world.ask(*chain, key=key) == (200, "")
    client, newest = Client.objects.get(), Certificate.objects.latest("id")
    assert (newest.ground, newest.client) == (Ground.READMITTED, client)
    assert client.certificate_until == newest.not_after
    assert not PendingEnrolment.objects.exists()
    entry = Entry.objects.get(action=Action.CLIENT_READMITTED)
    assert newest.spki_fingerprint in entry.details
    decision.refresh_from_db()
    assert decision.admitted == 1
    # Once: another one that was issued before is refused, and the new key proves itself as ever.
    for older in (chain, world.issued(2.5)):
        assert world.ask(*older) == (
            403,
            "The certificate of the last key is not accepted: one that was issued later is known here.",
        )
    assert world.ask(last_key=key)[0] == 200

    readmission.withdraw(world.server, actor=ALICE)
    with pytest.raises(ConflictError):
        readmission.withdraw(world.server, actor=ALICE)
    assert world.ask(*chain) == not_last
    acts = Entry.objects.filter(subject_kind="readmission").order_by("seq").values_list("action", flat=True)
    assert list(acts) == [Action.READMISSION_BEGUN, Action.READMISSION_WITHDRAWN]


def test_what_does_not_count(world: World) -> None:
    readmission.begin(world.server, actor=ALICE)
    known = Certificate.objects.get()
    issuer = world.issued()[1]
    foreign = authorities.root("another root")
    fake = authorities.certificate(
        NAME, world.key.public_key(), issuer="another root", by=foreign.key, purposes=authorities.TLS, dns=NAME,
        since=world.began + timedelta(hours=2),
    )  # fmt: skip
    refused = {
        "it has another name": world.issued(name="pc2.example.com"),
        "it is not valid at this time": world.issued(hours=1),
        "one that was issued later is known here": world.issued(-1),
        "it was not issued between the backup and the restore": world.issued(0.5),
        "no active root of this server stands above it": (fake, foreign.der),
    }
    world.hour = 3.2
    for why, chain in refused.items():
        assert world.ask(*chain) == (403, f"The certificate of the last key is not accepted: {why}.")
    assert "no active root" in world.ask(world.issued()[0])[1]  # what stands between is left out
    assert world.ask(*world.issued(3.1))[1].endswith("between the backup and the restore.")
    unreadable = (403, "The certificate of the last key cannot be read.")
    assert world.ask(b"rubbish") == unreadable
    assert world.ask(foreign.der, last_key=foreign.key) == unreadable  # it names nobody
    assert world.ask(bytes(known.der), issuer, last_key=new_key())[0] == 403
    # A copied certificate without its key.
    thief = world.est.post(proven(NAME, new_key(), world.key, b"x" * 40, world.issued()))
    assert (thief.status_code, b"too old" in thief.content) == (403, True)

    Subordinate.objects.filter(certificate_der=issuer).update(state=SubordinateState.REVOKED)
    assert "no active root" in world.ask(*world.issued())[1]
    Subordinate.objects.filter(certificate_der=issuer).update(state=SubordinateState.RETIRED)
    root = Root.objects.active(world.server).exclude(number=None).get()
    rows.revoke(root, RevocationReason.COMPROMISED)
    assert "no active root" in world.ask(*world.issued())[1]
    assert Certificate.objects.count() == 1


def test_a_revoked_client_stays_out(world: World) -> None:
    readmission.begin(world.server, actor=ALICE)
    revoking.revoke(Client.objects.get(), "stolen", actor=ALICE)
    assert world.ask(*world.issued()) == (403, "This client was revoked.")


def test_it_ends_and_does_not_come_back_with_a_backup(world: World) -> None:
    chain = world.issued(hours=400)
    readmission.begin(world.server, actor=ALICE)
    world.hour = 4
    world.restore(3.5)  # of a backup that was made while it stood
    assert readmission.standing(world.server, clock.now()) is None
    assert world.ask(*chain)[0] == 403
    assert readmission.begin(world.server, actor=ALICE).made_at == world.began + timedelta(hours=3.5)
    assert world.ask(*chain)[1].endswith("between the backup and the restore.")
    world.hour += 7 * 24 + 1
    assert world.ask(*world.issued(3.8, hours=400))[1].startswith("The proof is not made with")
    assert readmission.offered(world.server, clock.now()) is None  # no certificate of that time is valid any more
    assert Readmission.objects.count() == 2


def test_a_decision_that_is_withdrawn_meanwhile_admits_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    readmission.begin(world.server, actor=ALICE)
    real = last_key.check_signature

    def withdrawn(*args: Any) -> None:
        real(*args)
        Readmission.objects.filter(withdrawn_at=None).update(withdrawn_at=clock.now())

    monkeypatch.setattr(last_key, "check_signature", withdrawn)
    assert world.ask(*world.issued())[0] == 403
    assert Certificate.objects.count() == 1
