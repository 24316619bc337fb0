"""On which ground a known name gets another certificate, and on which it does not."""

import base64
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from console.activity.models import Entry
from console.lib import clock
from console.lib.errors import ConflictError, InvalidError
from console.servers.models import Server
from keys import roots
from keys.models.subordinate import Subordinate, SubordinateState
from tests.keys.conftest import ALICE
from tests.trust.clients.est.conftest import Est
from tests.trust.clients.est.requesting import Made, certificates, csr, new_key, proven
from trust import setup
from trust.actions import Action
from trust.clients import pending, places, policy
from trust.clients.est.wire import read_request
from trust.clients.revoking import revoke
from trust.clients.windows import Limit
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, PendingEnrolment
from trust.wire import proof

pytestmark = pytest.mark.django_db
NAME = "pc1.example.com"


@pytest.fixture
def enrolled(est: Est, credential: Made) -> Any:
    """Enrol NAME; return its key. Its certificate is what the TLS connection shows from now on."""
    key = new_key()
    answer = est.post(csr(NAME, key), authorization=credential.basic)
    assert answer.status_code == 200
    est.shows = certificates(answer.content)[0].public_bytes(Encoding.DER)
    return key


def later(monkeypatch: pytest.MonkeyPatch, **ahead: float) -> None:
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(**ahead))


def test_renewal_binds_to_the_certificate_that_is_shown(est: Est, enrolled: Any) -> None:
    first = Certificate.objects.get()
    request = csr(NAME, new_key())
    answer = est.post(request, "simplereenroll")
    assert answer.status_code == 200
    renewed = Certificate.objects.exclude(pk=first.pk).get()
    assert (renewed.client, renewed.ground) == (first.client, Ground.RENEWAL)
    # The same request again, and by simpleenroll as well: the same certificate.
    assert est.post(request, "simplereenroll").content == answer.content
    assert est.post(request).content == answer.content
    # Another client's name: refused.
    answer = est.post(csr("pc2.example.com"), "simplereenroll")
    assert (answer.status_code, answer.content) == (
        403,
        b"The request names another client than the certificate presented.\n",
    )
    assert Certificate.objects.count() == 2
    assert Client.objects.count() == 1


def test_one_request_may_be_used_again_for_each_certificate(est: Est, credential: Made) -> None:
    # Clients that keep their request in a file (strongSwan, openssl) renew with it.
    request = csr(NAME)
    first = est.post(request, authorization=credential.basic)
    est.shows = certificates(first.content)[0].public_bytes(Encoding.DER)
    second = est.post(request, "simplereenroll")
    assert second.content != first.content
    assert est.post(request, "simplereenroll").content == second.content
    est.shows = certificates(second.content)[0].public_bytes(Encoding.DER)
    third = est.post(request, "simplereenroll")
    assert len({first.content, second.content, third.content}) == 3
    assert Certificate.objects.count() == 3


def test_renewal_needs_a_certificate(est: Est, credential: Made) -> None:
    answer = est.post(csr(NAME), "simplereenroll", authorization=credential.basic)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Basic realm="Keystead enrolment", charset="UTF-8"'
    assert b"Renewal needs the client's certificate" in answer.content
    assert not Client.objects.exists()


def test_below_a_revoked_root_the_last_key_leads_to_the_new_one(
    est: Est, enrolled: Any, run_jobs: Callable[..., Any]
) -> None:
    old = Subordinate.objects.get(purpose="client-tls-ca")
    root, _ = roots.request(actor=ALICE, form_token=uuid.uuid4())
    run_jobs()
    Subordinate.objects.filter(pk=old.pk).update(state=SubordinateState.REVOKED, revoked_at=clock.now())
    policy.forget()
    # The listener does not have the new keys yet: nothing is issued below the old root any more.
    answer = est.post(proven(NAME, new_key(), enrolled, est.nonce()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    setup.file_issuing()
    answer = est.post(csr(NAME), "simplereenroll")
    assert (answer.status_code, answer.content[:51]) == (403, b"The root key above this certificate was revoked. As")
    answer = est.post(proven(NAME, new_key(), enrolled, est.nonce()), "simplereenroll")
    assert answer.status_code == 200
    made = Certificate.objects.order_by("id").last()
    assert made is not None
    assert (made.ground, made.issuer.root_id, made.client.root_id) == (Ground.LAST_KEY, root.pk, root.pk)


def test_the_last_key_brings_a_client_back_after_its_certificate_ended(
    est: Est, enrolled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, days=8)
    answer = est.post(csr(NAME), "simplereenroll")
    assert (answer.status_code, b"not valid at this time" in answer.content) == (403, True)
    # The handshake would have refused the certificate: it comes back without one, and without a credential.
    est.shows = None
    key = new_key()
    answer = est.post(proven(NAME, key, enrolled, est.nonce()))
    assert answer.status_code == 200, answer.content
    assert certificates(answer.content)[0].public_key() == key.public_key()
    assert Certificate.objects.order_by("id").last().ground == Ground.LAST_KEY  # type: ignore[union-attr]
    # The key before that one is no last key any more.
    answer = est.post(proven(NAME, new_key(), enrolled, est.nonce()))
    assert (answer.status_code, b"the key that was certified last" in answer.content) == (403, True)


def test_what_is_no_proof(est: Est, enrolled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    est.shows = None
    nonce, new = est.nonce(), new_key()
    tampered = nonce[:-1] + bytes((nonce[-1] ^ 1,))
    wrong = {
        "key that was certified last": proven(NAME, new, new_key(), nonce),  # a key of its own
        "too old": proven(NAME, new, enrolled, tampered),
        "Nothing is known": proven("pc9.example.com", new, enrolled, nonce),
    }
    for reason, request in wrong.items():
        answer = est.post(request)
        assert (answer.status_code, reason in answer.content.decode()) == (403, True), answer.content
    # A proof made for another key: the request around it is signed by a third one.
    stolen = proven(NAME, new, enrolled, nonce)
    attribute = x509.load_der_x509_csr(stolen).attributes.get_attribute_for_oid(x509.ObjectIdentifier(proof.ATTRIBUTE))
    answer = est.post(csr(NAME, new_key(), attributes=[(attribute.oid, attribute.value)]))
    assert (answer.status_code, answer.content) == (403, b"The proof of the last key is wrong.\n")
    # Five minutes later the nonce is too old; for the request that was answered in time it does not matter.
    assert est.post(stolen).status_code == 200
    assert Certificate.objects.count() == 2
    late = proven(NAME, new_key(), new, nonce)
    later(monkeypatch, minutes=6)
    assert est.post(late).status_code == 403
    assert est.post(stolen).status_code == 200
    assert Certificate.objects.count() == 2


def test_a_revoked_client_is_refused_whatever_it_proves(est: Est, enrolled: Any, credential: Made) -> None:
    revoke(Client.objects.get(), "stolen", actor=ALICE)
    shown, est.shows = est.shows, None
    asked = [
        (csr(NAME), {"authorization": credential.basic}),
        (proven(NAME, new_key(), enrolled, est.nonce()), {}),
    ]
    for request, headers in asked:
        answer = est.post(request, **headers)
        assert (answer.status_code, answer.content) == (403, b"This client was revoked.\n")
    est.shows = shown
    for operation in ("simpleenroll", "simplereenroll"):
        answer = est.post(csr(NAME), operation)
        assert (answer.status_code, answer.content) == (403, b"The client pc1.example.com was revoked.\n")
    answer = est.post(proven(NAME, new_key(), enrolled, est.nonce()))
    assert answer.status_code == 403
    assert Certificate.objects.count() == 1


def test_a_known_name_waits_until_it_is_allowed_once(est: Est, enrolled: Any, credential: Made) -> None:
    est.shows = None
    request = csr(NAME)
    for _ in range(2):
        answer = est.post(request, authorization=credential.basic)
        assert (answer.status_code, answer["Retry-After"]) == (202, "300")
    waits = PendingEnrolment.objects.get()
    assert (waits.tries, waits.credential, waits.address) == (2, credential.row, "192.0.2.7")
    assert Entry.objects.filter(action=Action.ENROLMENT_WAITS).count() == 1
    client = Client.objects.get()
    pending.allow_once(client, actor=ALICE)
    assert est.post(csr(NAME)).status_code == 401  # the permission does not stand in for a credential
    answer = est.post(request, authorization=credential.basic)
    assert answer.status_code == 200
    assert not PendingEnrolment.objects.exists()
    client.refresh_from_db()
    assert client.reenrol_until is None
    # Used up: the same request gets the same certificate, another one waits.
    assert est.post(request, authorization=credential.basic).content == answer.content
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 202
    credential.row.refresh_from_db()
    assert credential.row.uses == 1  # counted for the new name only
    assert [entry.action for entry in Entry.objects.filter(subject_kind="client").order_by("seq")] == [
        Action.ENROLMENT_WAITS,
        Action.REENROLMENT_ALLOWED,
        Action.ENROLMENT_WAITS,
    ]


def test_a_permission_ends_or_is_withdrawn(
    est: Est, enrolled: Any, credential: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    est.shows = None
    client = Client.objects.get()
    pending.allow_once(client, actor=ALICE)
    pending.withdraw_permission(client, actor=ALICE)
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 202
    pending.allow_once(client, actor=ALICE, hours=1)
    later(monkeypatch, hours=2)
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 202
    assert Certificate.objects.count() == 1


def test_only_the_chosen_key_uses_the_permission(est: Est, enrolled: Any, credential: Made) -> None:
    est.shows = None
    asked, other, later_key = csr(NAME), csr(NAME), csr(NAME)
    for request in (asked, other):
        assert est.post(request, authorization=credential.basic).status_code == 202
    client = Client.objects.get()
    chosen = client.pending.get(spki_fingerprint=read_request(base64.b64encode(asked)).fingerprint)
    pending.allow_once(client, actor=ALICE, key=chosen.spki_fingerprint)
    # A second administrator does not replace that choice unseen.
    for key in (read_request(base64.b64encode(other)).fingerprint, ""):
        with pytest.raises(ConflictError, match="is allowed already"):
            pending.allow_once(client, actor=ALICE, key=key)
    # Whoever has an init file and is quicker gets nothing.
    for request in (other, later_key):
        assert est.post(request, authorization=credential.basic).status_code == 202
    assert est.post(asked, authorization=credential.basic).status_code == 200
    assert est.post(other, authorization=credential.basic).status_code == 202
    client.refresh_from_db()
    assert (client.reenrol_until, client.reenrol_key) == (None, "")
    with pytest.raises(InvalidError):
        pending.allow_once(client, actor=ALICE, key=chosen.spki_fingerprint)


def test_who_has_another_file_keeps_no_client_out(  # nor who has the same, at another site
    est: Est, enrolled: Any, credential: Made, make_credential: Callable[..., Made]
) -> None:
    est.shows = None

    def ask(by: Made, address: str) -> int:
        """Ask with a new key; return how many keys wait."""
        est.address = address
        assert est.post(csr(NAME), authorization=by.basic).status_code == 202
        return PendingEnrolment.objects.count()

    stolen = make_credential()
    for _ in range(places.MOST_OF_SITE + 2):
        count = ask(stolen, "198.51.100.1")
    assert count == places.MOST_OF_SITE
    for host in range(2, 5):
        for _ in range(places.MOST_OF_SITE):
            count = ask(stolen, f"198.51.100.{host}")
    assert count == places.MOST_OF_CREDENTIAL
    assert ask(stolen, "192.0.2.7") == places.MOST_OF_CREDENTIAL  # one of a site with more goes
    assert PendingEnrolment.objects.filter(credential=stolen.row, address="192.0.2.7").exists()
    assert ask(credential, "198.51.100.1") == places.MOST_OF_CREDENTIAL + 1
    assert Entry.objects.filter(action=Action.ENROLMENT_WAITS).count() == places.MOST_OF_CREDENTIAL + 2


def test_a_key_that_waits_takes_its_place_along_to_a_file_of_its_own(
    est: Est, enrolled: Any, credential: Made, make_credential: Callable[..., Made]
) -> None:
    est.shows = None
    request, own = csr(NAME), make_credential(note="pc1 alone")
    est.post(request, authorization=credential.basic)
    for _ in range(places.MOST_OF_SITE):  # somebody else at the same address fills the new file's places
        est.post(csr(NAME), authorization=own.basic)
    est.post(request, authorization=own.basic)
    waits = PendingEnrolment.objects.get(tries=2)
    assert waits.credential == credential.row
    est.address = "192.0.2.99"
    est.post(request, authorization=own.basic)
    waits.refresh_from_db()
    assert (waits.credential, waits.tries, waits.address) == (own.row, 3, "192.0.2.99")


def test_a_site_does_not_write_keys_that_wait_without_end(
    est: Est, enrolled: Any, credential: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "_new", Limit(1, 60))
    est.shows = None
    for _ in range(3):
        assert est.post(csr(NAME), authorization=credential.basic).status_code == 202
    assert PendingEnrolment.objects.count() == 1


def test_names_of_servers_are_nobodys(est: Est, server: Server, make_credential: Callable[..., Made]) -> None:
    made = make_credential()
    for name in (server.fqdn, f"legacy.{server.fqdn}", server.fqdn.upper()):
        answer = est.post(csr(name), authorization=made.basic)
        assert (answer.status_code, answer.content) == (403, b"This is the name of a server: no client gets it.\n")
    assert not Client.objects.exists()
    assert not Certificate.objects.exists()
