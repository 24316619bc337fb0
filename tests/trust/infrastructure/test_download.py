"""A keystead-init.dat from the click to the file: made by the worker, opened by one browser, once."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client
from django.urls import reverse

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys.models.root import Root
from tests.fixtures.softhsm import SoftHsm
from tests.trust.infrastructure.conftest import FORM, Browser
from trust.infrastructure import credentials, files
from trust.infrastructure.credentials import CredentialState
from trust.jobs import MAKE_INIT_FILE, TIDY_CREDENTIALS
from trust.models.credentials import Credential
from trust.models.initfiles import InitFile, InitFileState
from trust.wire import initfile

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

MakeRoot = Callable[..., Root]
PRIVATE = re.compile(rb"PRIVATE KEY|BEGIN ENCRYPTED")


def text(answer: Any) -> str:
    return answer.content.decode()  # type: ignore[no-any-return]


def test_the_file_holds_every_active_root_and_is_signed_by_the_newest(  # BND-01, AMB-33
    browser: Browser, make_root: MakeRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = make_root()
    monkeypatch.setenv("KEYSTEAD_LISTENER_PORT", "27472")
    monkeypatch.setenv("KEYSTEAD_LISTENER_PLAIN_PORT", "27473")
    raw = browser.download()
    content = initfile.decode(raw)  # checks the signature
    active = Root.objects.numbered(newest.server)
    assert [(root.name, root.certificate) for root in content.roots] == [
        (root.name, bytes(root.certificate_der)) for root in active
    ]
    assert len(content.roots) == 2
    signed = msgspec.json.decode(raw[len(initfile.FIRST_LINE) :], type=initfile.Signed)
    assert signed.signer == bytes(newest.certificate_der)
    (address,) = content.servers
    assert (address.name, address.port, address.plain_port) == (newest.server.fqdn, 27472, 27473)
    assert content.settings == {}
    credential = Credential.objects.get()
    assert content.enrolment.id == str(credential.pk)
    assert hashlib.sha256(content.enrolment.secret.encode()).hexdigest() == credential.secret_sha256
    assert (credential.most_uses, credential.note, credential.created_by) == (25, FORM["note"], "alice")
    assert (credential.expires_at - credential.created_at).days == 7


def test_the_file_has_its_name_and_no_private_key(browser: Browser) -> None:  # BND-04, BND-08
    place = browser.ask().headers["Location"]
    browser.run_jobs()
    answer = browser.client.get(f"{place}keystead-init.dat")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="keystead-init.dat"'
    assert answer.headers["Cache-Control"] == "no-store"
    content = initfile.decode(answer.content)
    assert not PRIVATE.search(answer.content)
    # What is in it besides text and numbers: certificates, whole, and the credential of this file.
    for root in content.roots:
        certificate = x509.load_der_x509_certificate(root.certificate)
        assert certificate.public_bytes(Encoding.DER) == root.certificate
    assert len(content.enrolment.secret) == 43


def test_server_names_are_in_a_file_with_settings(browser: Browser) -> None:  # BND-15
    raw = browser.download(server_names="TS2.example.com, ts1.example.com\nts2.example.com.")
    assert initfile.decode(raw).settings == {"ServerNameList": "ts2.example.com,ts1.example.com"}
    entry = Entry.objects.filter(action="trust.init-file.downloaded").latest("seq")
    assert "ts2.example.com,ts1.example.com" in entry.details


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"most_uses": "0"}, "Enter a whole number of clients, from 1 to 1,000,000."),
        ({"most_uses": "1000001"}, "Enter a whole number of clients, from 1 to 1,000,000."),
        ({"days": "soon"}, "Enter a whole number of days, from 1 to 3,650."),
        ({"note": "x" * 201}, "at most 200 characters"),
        ({"server_names": "two words:443"}, "without ports"),
        ({"server_names": " , "}, "at least one name"),
    ],
)
def test_a_bad_form_makes_nothing(asker: Browser, changes: dict[str, str], complaint: str) -> None:
    answer = asker.ask(**changes)
    assert answer.status_code == 422
    assert complaint in text(answer)
    assert not Credential.objects.exists()


def test_it_is_handed_out_once_and_the_log_says_to_whom(browser: Browser) -> None:
    place = browser.ask().headers["Location"]
    assert "Make keystead-init.dat" in text(browser.client.get(place))  # a reload shows how far it is
    assert browser.client.get(f"{place}keystead-init.dat").status_code == 409  # not ready
    browser.run_jobs()
    page = browser.client.get(place)
    assert page.headers["Refresh"] == f"0; url={place}keystead-init.dat"  # the download begins by itself
    assert browser.client.get(f"{place}keystead-init.dat").status_code == 200
    file = InitFile.objects.get()
    assert (file.state, file.sealed) == (InitFileState.HANDED_OUT, None)
    again = browser.client.get(f"{place}keystead-init.dat")
    assert again.status_code == 409
    assert "not handed out twice" in text(again)
    after = browser.client.get(place)
    assert "Refresh" not in after.headers
    assert "handed out" in text(after)
    entries = Entry.objects.filter(action__startswith="trust.init-file").order_by("seq")
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("trust.init-file.requested", "alice"),
        ("trust.init-file.downloaded", "alice"),
    ]


def test_another_browser_gets_nothing_and_takes_nothing_away(browser: Browser, admin: User, as_user: Any) -> None:
    place = browser.ask().headers["Location"]
    browser.run_jobs()
    other = as_user(admin)  # the same administrator, elsewhere
    assert "Only the browser that asked" in text(other.get(place))
    refused = other.get(f"{place}keystead-init.dat")
    assert refused.status_code == 403
    assert not refused.content.startswith(initfile.FIRST_LINE)
    other.cookies["keystead_init_file"] = "A" * 128  # a key, but not this one
    assert other.get(f"{place}keystead-init.dat").status_code == 403
    assert browser.client.get(f"{place}keystead-init.dat").status_code == 200


def test_another_administrator_does_not_reach_it(
    browser: Browser, make_user: Callable[..., User], as_user: Any
) -> None:
    place = browser.ask().headers["Location"]
    browser.run_jobs()
    other: Client = as_user(make_user("bob", RoleKey.ADMINISTRATOR))
    other.cookies["keystead_init_file"] = browser.client.cookies["keystead_init_file"].value
    assert other.get(place).status_code == 403
    assert other.get(f"{place}keystead-init.dat").status_code == 403


def test_the_cookie_reaches_its_own_pages_only(asker: Browser) -> None:
    answer = asker.ask()
    cookie = answer.cookies["keystead_init_file"]
    assert cookie["path"] == answer.headers["Location"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", 600)


def test_a_form_that_is_sent_twice_asks_once(asker: Browser) -> None:
    token = "9a0c7a2e-6a8c-4a51-a0a7-0d9be9a6f3d1"
    first, second = asker.ask(token=token), asker.ask(token=token)
    assert first.headers["Location"] == second.headers["Location"]
    assert "keystead_init_file" not in second.cookies
    assert Credential.objects.count() == 1


@pytest.mark.parametrize("is_made", [True, False])
def test_after_ten_minutes_it_is_gone_and_its_credential_too(
    browser: Browser, move_clock: Callable[..., None], is_made: bool
) -> None:
    place = browser.ask().headers["Location"]
    if is_made:
        browser.run_jobs()
    move_clock(minutes=10, seconds=1)
    assert "within ten minutes" in text(browser.client.get(place))
    assert browser.client.get(f"{place}keystead-init.dat").status_code == 409
    browser.run_jobs()  # one that was late finds nobody waiting
    assert files.expire(clock.now()) == (1 if is_made else 0)
    file = InitFile.objects.get()
    assert file.sealed is None
    assert credentials.state(file.credential, clock.now()) == CredentialState.WITHDRAWN
    assert files.expire(clock.now()) == 0


def test_a_root_on_an_hsm_that_is_away_hands_out_nothing(
    browser: Browser, make_root: MakeRoot, softhsm: SoftHsm, use_token: Callable[..., None]
) -> None:
    token = softhsm.token("root-token")
    use_token(token, "Root")
    newest = make_root()
    assert initfile.decode(browser.download())  # signed on the token
    softhsm.remove(token)
    place = browser.ask().headers["Location"]
    browser.run_jobs()
    job = Job.objects.filter(kind_name=MAKE_INIT_FILE.name).latest("created_at")
    assert job.state == State.FAILED
    assert newest.name in job.message
    assert "Nothing was handed out" in text(browser.client.get(place))
    assert browser.client.get(f"{place}keystead-init.dat").status_code == 409
    credential = Credential.objects.latest("created_at")
    assert credential.withdrawn_at is not None
    assert credential.secret_sha256 == ""
    failed = Entry.objects.filter(action="trust.init-file.failed").latest("seq")
    assert failed.outcome == "failed"


def test_without_a_root_there_is_no_download(server: Server, admin_client: Client) -> None:
    page = text(admin_client.get(reverse("trust:infrastructure")))
    assert "There is no active root key yet" in page
    assert 'id="download-init"' not in page


def test_the_periodic_look_deletes_what_nobody_fetched(
    browser: Browser, server: Server, move_clock: Callable[..., None]
) -> None:
    browser.ask()
    browser.run_jobs()
    move_clock(minutes=11)
    queue.enqueue(TIDY_CREDENTIALS, subject=server.subject, actor=Actor.system())
    (job,) = browser.run_jobs()
    assert (job.state, job.message) == (State.SUCCEEDED, "1 files were not fetched, 0 credentials are used up.")
    assert InitFile.objects.get().state == InitFileState.EXPIRED
    assert Entry.objects.filter(action="trust.init-file.expired").count() == 1
