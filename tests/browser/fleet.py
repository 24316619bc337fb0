"""Clients, their history, an init file and a question, for the world that the page tests look at."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from console.accounts.models import User
from console.jobs.models import Job
from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from settings_store import store
from tests.browser.routes import Values
from tests.trust import rows
from trust.clients import counting
from trust.clients.exporting import EXPORT
from trust.clients.listing import Wanted
from trust.infrastructure import files
from trust.infrastructure.credentials import Limits
from trust.models.clients import NEVER, Client, PendingEnrolment, RegistrationChange
from trust.models.counts import Adoption
from trust.models.initfiles import InitFile
from trust.models.questions import Answer, Question, QuestionKind
from trust.questions import asking

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLACES = ("dsk-fra", "lap-ldn", "vdi-nyc", "pos-chi")


def add_clients(server: Server, old: Root, new: Root, admin: User, run_jobs: Callable[..., list[Job]]) -> None:
    """Make clients in every state, 60 days of adoption with changes of settings, an init file, a question."""
    now = clock.now()
    changes = {"ReportingTLSMode": "2", "enable_protocol_314_flag": "1"}
    store.save_local(changes, seen=store.seen_of(changes), actor=admin.actor)
    files.request(files.Wanted(uuid.uuid4(), Limits(most_uses=500, note="Branch offices")), admin)
    question = asking.ask(QuestionKind.CLIENT_VERSION, actor=admin.actor)
    issuer = Subordinate.objects.filter(server=server, purpose=Purpose.CLIENT_TLS_CA).latest("created_at")
    for number in range(60):
        _ordinary(server, (new, old)[number % 3 == 0], number, now, issuer, holding=(old, new))
    _special(server, old, now)
    for days in range(60):
        tls = 64 - days // 2
        Adoption.objects.create(server=server, day=(now - days * DAY).date(), using_tls=tls, unencrypted=66 - tls)
    counting.count(server)
    run_jobs()
    EXPORT.request(Wanted(q="dsk"), actor=admin.actor)
    run_jobs()
    for client in Client.objects.filter(authenticated=True)[:3]:
        Answer.objects.create(question=question, client=client, at=now, value="7.7.3.8213")


def values() -> Values:
    """Return what fills the parameters of pages about clients."""
    shown = Client.objects.filter(name__in=("new-key", "no-proof", "gone"))
    return {
        "client_id": [Client.objects.get(name="new-key").pk],
        "trust:client.client_id": shown.order_by("name").values_list("pk", flat=True),
        "trust:client-withdraw.client_id": [Client.objects.get(name="allowed").pk],
        "file_id": [InitFile.objects.latest("expires_at").pk],
        "credential_id": [InitFile.objects.latest("expires_at").credential_id],
        "question_id": [Question.objects.latest("asked_at").pk],
    }


def _ordinary(
    server: Server, root: Root, number: int, now: datetime, issuer: Subordinate, holding: tuple[Root, ...]
) -> None:
    client = rows.client(
        server,
        f"{PLACES[number % 4]}-{998_037 - 1_311 * number}.corp.example",
        root=root,
        version="7.7.3.8213",
        address=f"10.15.{number}.{200 - number}",
        registered_with=server.fqdn,
        last_seen=now - number * timedelta(seconds=11),
        holding=rows.holding(*holding),
    )
    rows.certificate(client, issuer, issued_at=now - DAY)


def _special(server: Server, old: Root, now: datetime) -> None:
    """Make one client of each state that stands out; `new-key` has something in every part of its page."""
    unproven = {"authenticated": False, "using_tls": False, "certificate_until": NEVER}
    rows.client(server, "till-7.shop.example", protocol=314, version="7.2.314.3632", address="10.14.27.229", **unproven)
    rows.client(server, "no-proof", address="10.14.29.14", **unproven)
    rows.client(server, "no-proof", root=old, last_seen=now - 3 * HOUR)
    rows.client(server, "gone", root=old, state="revoked", revoked_at=now, revocation_reason="Stolen from the van.")
    rows.client(server, "silent", root=old, last_seen=now - 9 * DAY, certificate_until=now - 2 * DAY)
    rows.client(server, "allowed", reenrol_until=now + DAY)
    client = rows.client(server, "new-key", root=old, version="7.4.10.1075", holding=rows.holding(old))
    issuer = Subordinate.objects.filter(server=server, purpose=Purpose.CLIENT_TLS_CA).earliest("created_at")
    for number in range(12):
        rows.certificate(client, issuer, issued_at=now - (12 - number) * DAY)
        RegistrationChange.objects.create(
            client=client, at=now - (12 - number) * DAY, using_tls=number > 4, protocol=315, version="7.4.10.1075",
            registered_with=server.fqdn, address="10.15.9.9", holding=client.holding,
        )  # fmt: skip
    PendingEnrolment.objects.create(
        client=client, spki_fingerprint="5e" * 32, address="10.15.9.9", first_at=now - HOUR, last_at=now, tries=14
    )
