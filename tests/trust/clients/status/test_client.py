"""The page of a client, and what an administrator does there."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root
from tests.trust import rows
from tests.trust.clients.status.conftest import MakeClients
from trust.clients import held, places
from trust.clients.held import Standing
from trust.clients.status import CONNECTED
from trust.models.clients import Client, PendingEnrolment, RegistrationChange, RootSet
from trust.models.credentials import Credential

DAY = timedelta(days=1)


def address(act: str, client: Client) -> str:
    return reverse(f"trust:client-{act}" if act else "trust:client", args=[client.pk])


def page(browser: Browser, client: Client, **query: str) -> str:
    response = browser.get(address("", client), query)
    assert response.status_code == 200
    return response.content.decode()


def part(text: str, heading: str) -> str:
    """Return the text of the card with this heading."""
    found = re.search(rf'<section class="card" aria-labelledby="{heading}">.*?</section>', text, re.DOTALL)
    assert found, text
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


@pytest.fixture
def client(server: Server, new: Root, old: Root) -> Client:
    """Return a client of the old root that holds both, with a certificate."""
    made = rows.client(server, "dsk-1.example", root=old, holding=rows.holding(old, new))
    rows.certificate(made, rows.intermediate(old))
    return made


def test_it_shows_which_root_keys_the_client_holds(
    client: Client, old: Root, new: Root, auditor_client: Browser
) -> None:  # HSI-45, KEY-10, AMB-06
    text = part(page(auditor_client, client), "held-h")
    assert "It holds Root 1" in text
    for root in (old, new):
        assert root.name in text
        assert str(root.fingerprint) in text.replace(" ", "")
    assert "needs a new init file" not in page(auditor_client, client)
    Client.objects.update(holding=rows.holding(old))
    assert "It has not heard of Root 1 yet" in part(page(auditor_client, client), "held-h")  # nothing names it yet
    published = rows.trust_list(client.server).created_at
    long, second = timedelta(days=3), timedelta(seconds=1)
    for back, seen, words in (
        (-long, -second, "has not heard of"),
        (-long, CONNECTED, "is hearing of"),
        (-long, CONNECTED + second, "does not hold"),
        (long, long, "is hearing of"),  # away for days: it hears with the first registration, and holds it at the next
        (long, long + CONNECTED + second, "does not hold"),
    ):
        Client.objects.update(back_at=published + back, last_seen=published + seen)
        assert f"It {words} Root 1" in part(page(auditor_client, client), "held-h")
    assert "It needs a new init file." in page(auditor_client, client)  # nothing leads on: no cross-certificate
    rows.cross(old, new)
    assert "needs a new init file" not in page(auditor_client, client)
    rows.revoke(old)
    foreign = RootSet.objects.create(digest="0" * 64, fingerprints=[new.fingerprint, old.fingerprint, "ab" * 32])
    Client.objects.update(holding=foreign)
    text = part(page(auditor_client, client), "held-h")
    for words in ("keys that it should not", "Revoked", "Unknown to this console", "Newest root"):
        assert words in text
    Client.objects.update(holding=None)
    assert "It has not said yet" in part(page(auditor_client, client), "held-h")


def test_client_7_2_should_hold_legacy_root(server: Server, new: Root) -> None:  # HSI-45
    legacy = rows.root(server, None, kind="legacy-root", name="legacy-root")
    made = rows.client(server, "till", protocol=314, authenticated=False, holding=rows.holding(legacy))
    known = held.of(made)
    assert known.wanted == legacy
    assert [one.standing for one in known.roots] == [Standing.WANTED]


def test_certificates_and_registrations_have_pages_of_their_own(client: Client, admin_client: Browser) -> None:
    issuer = client.certificates.get().issuer
    for number in range(12):
        rows.certificate(client, issuer, issued_at=clock.now() - 30 * DAY)
        RegistrationChange.objects.create(
            client=client,
            at=clock.now() - number * DAY,
            using_tls=bool(number % 2),
            protocol=315,
            version=f"7.{number}",
        )
    text = page(admin_client, client)
    assert part(text, "certificates").count("Enrolment credential") == 10
    assert "Expired" in part(text, "certificates")
    assert "No, unencrypted" in part(text, "registrations")
    older = re.search(r'id="certificates-next" href="\?([^"]+)"', text)
    assert older
    text = admin_client.get(f"{address('', client)}?{older[1]}").content.decode()
    assert part(text, "certificates").count("Enrolment credential") == 3
    assert 'id="certificates-prev"' in text
    assert "7.11" in part(text, "registrations")


def test_an_unauthenticated_name_is_another_client(
    client: Client, make_clients: MakeClients, admin_client: Browser
) -> None:
    (other,) = make_clients(client.name, authenticated=False, using_tls=False, protocol=314)
    assert address("", other) in page(admin_client, client)
    text = page(admin_client, other)
    assert address("", client) in text
    assert "so anybody on the network could have" in text
    assert "Only Client 7.4 or later uses TLS between clients." in text  # TLS-06
    assert admin_client.get(address("reset", other)).status_code == 409


def test_reenrolment_is_allowed_once_and_withdrawn(client: Client, admin_client: Browser) -> None:
    PendingEnrolment.objects.create(
        client=client,
        spki_fingerprint="5e" * 32,
        address="10.0.0.9",
        first_at=clock.now(),
        last_at=clock.now(),
        tries=3,
    )
    shown = part(page(admin_client, client), "pending-h")
    assert "3 times" in shown
    assert "no place" not in shown
    assert "5e5e 5e5e" in admin_client.get(address("allow", client)).content.decode()
    assert admin_client.post(address("allow", client), {"hours": "5"}).status_code == 422
    assert admin_client.get(address("withdraw", client)).status_code == 409
    # Whoever waits is chosen by its key: nobody gets the name by being quicker.
    for key in ("", "0" * 64):
        assert admin_client.post(address("allow", client), {"hours": "24", "key": key}).status_code == 422
    assert admin_client.post(address("allow", client), {"hours": "24", "key": "5e" * 32}).status_code == 302
    client.refresh_from_db()
    assert client.reenrol_until
    assert client.reenrol_key == "5e" * 32
    assert timedelta(hours=23) < client.reenrol_until - clock.now() <= timedelta(hours=24)
    text = page(admin_client, client)
    assert address("withdraw", client) in text
    assert admin_client.post(address("withdraw", client)).status_code == 302
    assert admin_client.post(address("withdraw", client)).status_code == 409
    client.refresh_from_db()
    assert client.reenrol_until is None


def test_reset_public_key_queues_one_order(client: Client, admin_client: Browser) -> None:  # HSI-45, AMB-06
    for _ in range(2):
        assert admin_client.post(address("reset", client)).status_code == 302
    jobs = Job.objects.filter(kind_name="trust.direct-client", subject_id=str(client.pk))
    assert jobs.count() == 1
    assert Entry.objects.filter(action="trust.client.public-key-reset-requested").count() == 1
    assert f'id="job-{jobs.get().pk}"' in page(admin_client, client)


def test_revoking_needs_name_and_reason_and_happens_once(
    client: Client, admin_client: Browser, as_user: Callable[..., Browser], make_user: Callable[..., User]
) -> None:
    url = address("revoke", client)
    for wrong in ({"typed": client.name}, {"reason": "Lost."}, {"reason": "Lost.", "typed": client.name.upper()}):
        assert admin_client.post(url, wrong).status_code == 422
    shown_before = admin_client.get(url).content.decode()  # the second browser has its dialog open, too
    assert "1 that is valid" in shown_before
    right = {"reason": "Lost.", "typed": client.name}
    assert admin_client.post(url, right).status_code == 302
    assert admin_client.post(url, right).status_code == 409
    client.refresh_from_db()
    assert client.state == "revoked"
    text = page(admin_client, client)
    assert "Lost." in text
    assert "Revoked" in part(text, "certificates")
    for act in ("allow", "reset", "revoke"):
        assert admin_client.post(address(act, client), right).status_code == 409
        assert address(act, client) not in text
    assert text.count('aria-disabled="true"') == 3
    assert Entry.objects.filter(action="trust.client.revoked").count() == 1


@pytest.mark.one_database
def test_revoking_a_name_that_proved_nothing_says_what_is_true_of_it(
    make_clients: MakeClients, admin_client: Browser
) -> None:
    (made,) = make_clients("till.example", authenticated=False, using_tls=False, protocol=314)
    assert "It has none that could be revoked." in page(admin_client, made)
    dialog = admin_client.get(address("revoke", made)).content.decode()
    assert "nothing goes on a revocation list" in dialog
    assert "may enrol by a keystead-init.dat" in dialog
    for untrue in ("is valid", "Way back", "nor an init file"):
        assert untrue not in dialog
    right = {"reason": "Nobody's.", "typed": made.name}
    done = admin_client.post(address("revoke", made), right, follow=True).content.decode()
    assert "till.example is revoked." in done
    assert "list is being signed" not in done
    assert "Enrol it under another name" not in done
    assert not Job.objects.filter(kind_name="trust.sign-client-crl").exists()


@pytest.mark.one_database
def test_revoking_names_the_init_file_that_still_enrols_other_names(client: Client, admin_client: Browser) -> None:
    assert "Other names" not in admin_client.get(address("revoke", client)).content.decode()
    client.credential = Credential.objects.create(
        server=client.server,
        secret_sha256="0" * 64,
        most_uses=2,
        created_by="ada",
        created_at=clock.now(),
        expires_at=clock.now() + DAY,
    )
    client.save()
    text = admin_client.get(address("revoke", client)).content.decode()
    assert f"Enrolment credential {client.credential.short} of its init file enrols new names" in text
    Credential.objects.update(withdrawn_at=clock.now())
    assert "Other names" not in admin_client.get(address("revoke", client)).content.decode()


@pytest.mark.one_database
def test_keys_that_wait_say_by_which_file_and_whether_others_found_no_place(
    client: Client, admin_client: Browser
) -> None:
    now = clock.now()
    file = Credential.objects.create(
        server=client.server, note="branch", most_uses=9, created_by="ada", created_at=now, expires_at=now + DAY
    )
    for number in range(places.MOST_OF_SITE):
        PendingEnrolment.objects.create(
            client=client,
            spki_fingerprint=f"{number}e" * 32,
            address="10.0.0.9",
            credential=file,
            first_at=now,
            last_at=now,
        )
    shown = part(page(admin_client, client), "pending-h")
    assert "Others may have found no place here" in shown
    assert shown.count("branch") == places.MOST_OF_SITE
    assert "at 10.0.0.9 with the file branch" in admin_client.get(address("allow", client)).content.decode()


@pytest.mark.one_database
def test_who_only_reads_gets_no_acts(client: Client, auditor_client: Browser) -> None:
    text = page(auditor_client, client)
    assert "Manage this client" not in text
    for act in ("allow", "withdraw", "reset", "revoke"):
        assert auditor_client.get(address(act, client)).status_code == 403
    assert not Entry.objects.filter(subject_id=str(client.pk)).exists()


@pytest.mark.one_database
def test_acts_ask_for_a_recent_sign_in(client: Client, admin: User, as_user: Callable[..., Browser]) -> None:
    stale = as_user(admin, recent=False)
    response = stale.post(address("revoke", client), {"reason": "x", "typed": client.name})
    assert response.status_code == 302
    assert "/account/confirm/" in response.headers["Location"]
    client.refresh_from_db()
    assert client.state == "active"


@pytest.mark.one_database
def test_nobody_of_that_id(admin_client: Browser, server: Server) -> None:
    for act in ("", "-allow", "-reset", "-revoke", "-withdraw"):
        assert admin_client.get(reverse(f"trust:client{act}", args=[uuid.uuid4()])).status_code == 404


@pytest.mark.one_database
def test_a_dialog_is_a_fragment_and_its_success_leads_back(client: Client, admin_client: Browser) -> None:
    htmx = {"HX-Request": "true"}
    shown = admin_client.get(address("allow", client), headers=htmx).content.decode()
    assert shown.lstrip().startswith("<dialog")
    done = admin_client.post(address("allow", client), {"hours": "1"}, headers=htmx)
    assert done.headers["HX-Redirect"] == address("", client)
