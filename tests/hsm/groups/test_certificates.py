"""Custom CA and client certificate: both ways of entering them, what is refused, and that a key is never shown."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib.secret import Secret
from console.servers.models import Server
from hsm.connections import testing
from hsm.connections.entering import Entered
from hsm.groups import certificates, creation, trusting
from hsm.groups.creation import HsmEntry
from hsm.groups.trusting import TrustEntry
from hsm.jobs import TAKE_CLIENT_PAIR
from hsm.models.drafts import StagedClientPair
from hsm.models.groups import Group, HsmType, Trust
from tests.fixtures.certificates import Authority, Issued
from tests.fixtures.groups import ALICE, by_gateway
from tests.hsm.connections.conftest import Served, served

__all__ = ["served"]

RunJobs = Callable[..., list[Job]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Corp HSM CA")


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue("console", ("console.example",))


@pytest.fixture
def group(server: Server) -> Group:
    """Return a group without an address, so that its tests ask nobody."""
    return creation.create("Luna production", "", HsmEntry(HsmType.LUNA, Entered(), TrustEntry()), actor=ALICE)


def send(client: Client, group: Group, **changes: object) -> object:
    form = {
        "seen": trusting.version(group),
        "trust": Trust.CUSTOM,
        "ca_text": "",
        "client_cert_text": "",
        "client_key": "",
        "validate_host": "on",
    }
    return client.post(reverse("hsm:group-trust", args=[group.pk]), {**form, **changes})


def text(response: object) -> str:
    return unescape(response.content.decode())  # type: ignore[attr-defined]


def test_upload_and_paste_give_the_same(group: Group, authority: Authority, admin_client: Client) -> None:  # GRP-15
    stored = []
    upload = SimpleUploadedFile("ca.pem", authority.pem.encode())
    for entered in ({"ca_text": authority.pem}, {"ca_file": upload}):
        assert send(admin_client, group, **entered).status_code == 302  # type: ignore[attr-defined]
        group.refresh_from_db()
        stored.append(group.ca_pem)
    assert stored[0] == stored[1] == authority.pem
    page = text(admin_client.get(reverse("hsm:group", args=[group.pk])))
    (facts,) = certificates.facts(authority.pem)
    assert facts.subject in page
    assert facts.fingerprint in re.sub(r"<[^>]*>|\s", "", page)


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"ca_text": "not a certificate"}, "This is no PEM certificate"),
        ({"ca_file": SimpleUploadedFile("ca.der", b"\x30\x82\x01\xff")}, "This is no PEM certificate"),
        ({"ca_file": SimpleUploadedFile("ca.pem", b"A" * (64 * 1024 + 1))}, "larger than 64 KiB together"),
        ({"ca_text": "A" * (64 * 1024 + 1)}, "A certificate file has at most 64 KiB."),
        ({"ca_text": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}, "contains a private key"),
        ({"ca_text": ""}, "Upload or paste the certificate of your CA"),
    ],
)
def test_what_is_no_certificate_is_refused(
    group: Group, admin_client: Client, entered: dict[str, object], said: str
) -> None:
    response = send(admin_client, group, **entered)
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert said in text(response)
    group.refresh_from_db()
    assert group.trust == Trust.GLOBAL


def test_a_key_that_belongs_to_the_certificate_is_taken_over(
    group: Group, authority: Authority, issued: Issued, admin_client: Client, run_jobs: RunJobs
) -> None:  # GRP-16
    key = SimpleUploadedFile("key.pem", issued.key_pem.encode())
    send(admin_client, group, ca_text=authority.pem, client_cert_text=issued.pem, client_key_file=key)
    group.refresh_from_db()
    assert group.sealed_client_key is None  # not before the worker has compared the two
    run_jobs()
    group = Group.objects.get()
    assert group.client_cert_pem == issued.pem
    assert group.sealed_client_key
    assert not StagedClientPair.objects.exists()
    page = text(admin_client.get(reverse("hsm:group-trust", args=[group.pk])))
    assert "never shown again" in page
    assert issued.key_pem.splitlines()[1] not in page
    # An edit of something else keeps the pair; emptying the certificate removes both.
    send(admin_client, group, ca_text=authority.pem, client_cert_text=issued.pem, validate_host="")
    group.refresh_from_db()
    assert group.sealed_client_key
    assert not group.validate_host
    send(admin_client, group, ca_text=authority.pem)
    group.refresh_from_db()
    assert not group.client_cert_pem
    assert Group.objects.filter(sealed_client_key=None).exists()


def test_a_key_of_another_certificate_comes_back_to_the_form(
    group: Group, authority: Authority, issued: Issued, admin_client: Client, run_jobs: RunJobs
) -> None:  # GRP-16
    other = authority.issue("other", ("other.example",))
    send(admin_client, group, ca_text=authority.pem, client_cert_text=issued.pem, client_key=other.key_pem)
    (job,) = (job for job in run_jobs() if job.kind_name == TAKE_CLIENT_PAIR.name)
    assert (job.state, job.error_code) == (State.FAILED, "client-key-mismatch")
    staged = StagedClientPair.objects.get()
    assert staged.sealed_key is None
    group.refresh_from_db()
    assert group.sealed_client_key is None
    for page in ("hsm:group", "hsm:group-trust", "hsm:group-hsm"):
        shown = text(admin_client.get(reverse(page, args=[group.pk])))
        assert "The client key does not belong to the client certificate" in shown
    assert other.key_pem.splitlines()[1] not in str(list(Entry.objects.values())) + str(list(Job.objects.values()))


def test_certificate_and_key_come_together(
    group: Group, authority: Authority, issued: Issued, admin_client: Client
) -> None:
    response = send(admin_client, group, ca_text=authority.pem, client_cert_text=issued.pem)
    assert "Enter the private key that belongs" in text(response)
    response = send(admin_client, group, ca_text=authority.pem, client_key=issued.key_pem)
    assert "Enter the certificate that belongs" in text(response)


def test_two_browsers_at_once(group: Group, authority: Authority, admin_client: Client) -> None:
    seen = trusting.version(group)
    assert send(admin_client, group, ca_text=authority.pem).status_code == 302  # type: ignore[attr-defined]
    response = send(admin_client, group, seen=seen, trust=Trust.GLOBAL)
    assert response.status_code == 409  # type: ignore[attr-defined]


def test_both_sides_prove_who_they_are(server: Server, served: Served, run_jobs: RunJobs, tmp_path: object) -> None:
    """GRP-17, GRP-49: a gateway with CA_FILE takes the client certificate of that CA, and nothing else."""
    clients = Authority("Console clients")
    ca_file = served.gateway.folder / "clients.pem"
    ca_file.write_text(clients.pem)
    mutual = served.gateways.start(
        served.token.module, slots=[served.token.slot_id], ca_file=ca_file, environment=served.farm.environment
    )
    try:
        found = {}
        pairs = {
            "none": None,
            "right": clients.issue("console", ("console.example",)),
            "foreign": Authority("Others").issue("console", ("console.example",)),
        }
        for name, pair in pairs.items():
            entry = TrustEntry(
                Trust.CUSTOM,
                mutual.ca_pem,
                pair.pem if pair else "",
                Secret(pair.key_pem) if pair else None,
            )
            hsm = HsmEntry(HsmType.NCIPHER, by_gateway(mutual, served.token), entry)
            group = creation.create(name, "", hsm, actor=ALICE)
            for job in run_jobs():
                assert job.state == State.SUCCEEDED, job.message
            outcome = testing.test(group.connections.select_related("group").get())
            found[name] = (outcome.connected, outcome.code, outcome.is_open)
        assert found == {
            "none": (False, "GATEWAY_CLIENT_CERT", False),
            "right": (True, "", False),
            "foreign": (False, "GATEWAY_CLIENT_CERT", False),
        }
    finally:
        mutual.stop()
