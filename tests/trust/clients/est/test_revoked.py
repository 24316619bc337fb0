"""Clients that are revoked, and the revocation lists of the intermediates."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.lib.errors import ConflictError, InvalidError
from console.servers.models import Server
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate, SubordinateState
from tests.keys.conftest import ALICE
from tests.trust.clients.est.conftest import Est
from tests.trust.clients.est.requesting import Made, certificates, csr
from trust.actions import Action
from trust.clients import crls, identity
from trust.clients.identity import IdentityError
from trust.clients.revoking import revoke
from trust.models.certificates import Certificate
from trust.models.clients import Client, ClientState
from trust.models.crls import ClientCrl

pytestmark = pytest.mark.django_db


def fetch(est: Est) -> x509.CertificateRevocationList:
    """Return the list as a peer gets it: from the authority key identifier of a client's certificate."""
    certificate = x509.load_der_x509_certificate(bytes(Certificate.objects.order_by("id")[0].der))
    authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier
    answer = est.http.get(f"/crl/{authority.key_identifier.hex()}.crl")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pkix-crl")
    return x509.load_der_x509_crl(answer.content)


def number(found: x509.CertificateRevocationList) -> int:
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_revoked_client_is_on_the_list_of_its_intermediate(
    est: Est, server: Server, credential: Made, run_jobs: Callable[..., list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("pc1.example.com", "pc2.example.com")
    first, other = (
        certificates(est.post(csr(name), authorization=credential.basic).content)[0].public_bytes(Encoding.DER)
        for name in names
    )
    assert est.http.get(f"/crl/{'0' * 40}.crl").status_code == 404
    assert crls.start_due(server) == "Revocation lists are being signed."
    run_jobs()
    empty = fetch(est)
    issuer = x509.load_der_x509_certificate(bytes(Subordinate.objects.get(purpose="client-tls-ca").certificate_der))
    assert (number(empty), len(list(empty))) == (1, 0)
    assert empty.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    assert empty.next_update_utc == empty.last_update_utc + timedelta(days=7)
    assert crls.start_due(server) == "Every revocation list is up to date."

    client = Client.objects.get(name=names[0])
    revoke(client, "stolen", actor=ALICE)
    assert (client.state, client.revocation_reason) == (ClientState.REVOKED, "stolen")
    # Refused at once, before any list is signed.
    with pytest.raises(IdentityError, match="was revoked"):
        identity.identify(first, clock.now())
    assert identity.identify(other, clock.now()).client.name == names[1]
    run_jobs()
    listed = fetch(est)
    assert number(listed) == 2
    assert [entry.serial_number for entry in listed] == [x509.load_der_x509_certificate(first).serial_number]
    entry = Entry.objects.get(action=Action.CLIENT_REVOKED)
    assert (entry.actor, entry.subject_id) == ("alice", str(client.pk))

    with pytest.raises(ConflictError, match="already"):
        revoke(client, "again", actor=ALICE)
    with pytest.raises(InvalidError, match="Say why"):
        revoke(Client.objects.get(name=names[1]), "  ", actor=ALICE)

    # Signed again each day, also below a root that was revoked, and for a day after its certificates have ended.
    Root.objects.filter(number=0).update(state=RootState.REVOKED, revoked_at=clock.now(), revocation_reason="policy")
    Subordinate.objects.filter(purpose="client-tls-ca").update(state=SubordinateState.REVOKED, revoked_at=clock.now())
    real = clock.now
    for days, entries in ((2, 1), (8, 1), (11, 0)):
        monkeypatch.setattr(clock, "now", lambda days=days: real() + timedelta(days=days))
        crls.sign_due(server, actor=ALICE)
        assert len(list(fetch(est))) == entries
    assert ClientCrl.objects.get().number == 5
    with pytest.raises(IdentityError, match="was revoked"):
        identity.identify(first, clock.now())


def test_a_certificate_that_is_revoked_as_another_leaves_the_list(
    est: Est, server: Server, credential: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pc1.example.com", "pc2.example.com"):
        est.post(csr(name), authorization=credential.basic)
    first, second = Certificate.objects.order_by("id")
    now = clock.now()
    Certificate.objects.filter(pk=first.pk).update(revoked_at=now, not_after=now - crls.LISTED_ON + timedelta(hours=1))
    crls.sign_due(server, actor=ALICE)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    # As many entries as before, and another one.
    Certificate.objects.filter(pk=second.pk).update(revoked_at=now + timedelta(hours=1))
    assert crls.start_due(server) == "Revocation lists are being signed."
    crls.sign_due(server, actor=ALICE)
    assert [f"{entry.serial_number:x}" for entry in fetch(est)] == [second.serial]


@pytest.mark.one_database  # PostgreSQL looks at how many rows there are, and finds few here
def test_the_revoked_are_found_among_millions_by_an_index(est: Est) -> None:
    issuer = Subordinate.objects.get(purpose="client-tls-ca")
    assert "certificate_revoked" in crls._revoked(issuer, clock.now()).order_by().explain()


def test_who_a_certificate_belongs_to(est: Est, credential: Made) -> None:
    made = certificates(est.post(csr("pc1.example.com"), authorization=credential.basic).content)[0]
    der = made.public_bytes(Encoding.DER)
    row = identity.identify(der, clock.now())
    assert row.client.name == "pc1.example.com"

    def code(shown: bytes, now: Any = None) -> str:
        with pytest.raises(IdentityError) as caught:
            identity.identify(shown, now or clock.now())
        return caught.value.code

    assert code(b"no certificate") == "unknown-certificate"
    # The same serial number in other bytes.
    tampered = der[:-1] + bytes((der[-1] ^ 1,))
    assert code(tampered) == "unknown-certificate"
    assert code(der, made.not_valid_after_utc) == "certificate-expired"
    assert code(der, made.not_valid_before_utc - timedelta(seconds=1)) == "certificate-expired"
    Subordinate.objects.filter(pk=row.issuer_id).update(state=SubordinateState.REVOKED, revoked_at=clock.now())
    assert code(der) == "root-revoked"
    Certificate.objects.update(revoked_at=clock.now())
    assert code(der) == "certificate-revoked"
