"""What is refused: the exact answer, and that nothing changed."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from console.activity.models import Entry
from console.lib import clock
from tests.trust.clients.est.conftest import Est
from tests.trust.clients.est.requesting import OTHER_OID, Made, basic, csr
from trust.actions import Action
from trust.clients import guesses
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.guesses import WrongCredential

pytestmark = pytest.mark.django_db
NAME = "pc1.example.com"
CA = x509.BasicConstraints(ca=True, path_length=None)
SERVER_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
IP = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName("pc2.example.com")])
MAIL = x509.SubjectAlternativeName([x509.RFC822Name("pc1@example.com")])
TWO_NAMES = x509.Name(
    [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, NAME)]
)
CHALLENGE = x509.ObjectIdentifier("1.2.840.113549.1.9.7")


def nothing_changed() -> bool:
    return not Client.objects.exists() and not Certificate.objects.exists()


def wrong_requests() -> dict[str, tuple[bytes, str]]:
    """Return bodies (DER) by the words of their refusal."""
    good = csr(NAME)
    flipped = good[:-1] + bytes((good[-1] ^ 1,))
    return {
        "truncated": (good[:-20], "not a certificate request"),
        "trailing": (good + b"\0", "not a certificate request"),
        "something else": (b"\x30\x03\x02\x01\x00", "not a certificate request"),
        "signature": (flipped, "not signed by the key"),
        "P-224": (csr(NAME, ec.generate_private_key(ec.SECP224R1())), "curve secp224r1 is not allowed"),
        "Ed25519": (csr(NAME, ed25519.Ed25519PrivateKey.generate(), digest=None), "signature algorithm"),
        "RSA 1024": (csr(NAME, rsa.generate_private_key(65537, 1024)), "RSA key of 1024 bits is not allowed"),  # noqa: S505 - it is to be refused
        "exponent 3": (csr(NAME, rsa.generate_private_key(3, 2048)), "exponent must be odd and at least 65537"),
        "no name": (csr("", subject=x509.Name([])), "subject must be one common name"),
        "more names": (csr("", subject=TWO_NAMES), "subject must be one common name"),
        "wildcard": (csr("*.example.com"), "not a host name"),
        "address": (csr("192.0.2.1"), "looks like an address"),
        "line break": (csr("pc1\nINFO"), "not a host name"),
        "dot": (csr("pc1.example.com."), "no host name in its plain form"),
        "CA": (csr(NAME, extensions=[CA]), "extension 2.5.29.19"),
        "usage": (csr(NAME, extensions=[SERVER_AUTH]), "extension 2.5.29.37"),
        "another host": (csr(NAME, hosts=["pc2.example.com"]), "two different hosts"),
        "two hosts": (csr(NAME, extensions=[IP]), "one DNS name only"),
        "mail": (csr(NAME, extensions=[MAIL]), "one DNS name only"),
        "attribute": (csr(NAME, attributes=[(OTHER_OID, b"x")]), "not known here: 1.3.6.1.4.1.99999.1"),
        "challenge": (csr(NAME, attributes=[(CHALLENGE, b"secret")]), "not known here: 1.2.840.113549.1.9.7"),
    }


def test_requests_that_are_wrong(est: Est, credential: Made) -> None:
    for what, (der, reason) in wrong_requests().items():
        answer = est.post(der, authorization=credential.basic)
        assert answer.status_code == 400, (what, answer.content)
        assert reason in answer.content.decode(), (what, answer.content)
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert nothing_changed()


def test_bodies_that_are_wrong(est: Est, credential: Made) -> None:
    good = base64.b64encode(csr(NAME))
    basic = {"authorization": credential.basic}
    assert est.raw(b"\n", **basic).content == b"The body is empty.\n"
    assert est.raw(b"*" + good, **basic).content == b"The body is not base64 (RFC 8951 \xc2\xa73.1).\n"
    assert est.raw(good[:-3], **basic).status_code == 400
    assert est.raw(good, kind="application/x-www-form-urlencoded", **basic).status_code == 415
    assert est.raw(b"A" * (16 * 1024 + 1), **basic).status_code == 413
    answer = est.http.get("/.well-known/est/simpleenroll")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert nothing_changed()
    # Broken lines are no fault (RFC 8951 §3.1).
    lines = b"\r\n".join(good[at : at + 64] for at in range(0, len(good), 64))
    assert est.raw(lines, **basic).status_code == 200


def test_who_says_nothing_of_itself_is_asked(est: Est) -> None:
    # BND-12: without the credential of an infrastructure file no fresh client comes in.
    for headers in ({}, {"authorization": "Bearer abc"}):
        answer = est.post(csr(NAME), **headers)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Basic realm="Keystead enrolment", charset="UTF-8"'
        assert answer.content == b"Send the enrolment credential of your infrastructure file.\n"
    assert nothing_changed()
    assert not WrongCredential.objects.exists()


def test_a_certificate_that_was_not_issued_here(est: Est, credential: Made) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    from tests.fixtures.certificates import self_signed

    est.shows = self_signed(NAME).certificate.public_bytes(Encoding.DER)
    answer = est.post(csr(NAME), authorization=credential.basic)
    assert (answer.status_code, answer.content) == (403, b"This certificate was not issued here.\n")
    assert nothing_changed()


def test_credentials_that_no_longer_count(est: Est, make_credential: Callable[..., Made]) -> None:
    now = clock.now()
    cases = {
        "This enrolment credential was withdrawn.": make_credential(withdrawn_at=now),
        "This enrolment credential has expired.": make_credential(expires_at=now - timedelta(seconds=1)),
        "This enrolment credential has enrolled as many clients as it may.": make_credential(most_uses=0),
    }
    for reason, made in cases.items():
        answer = est.post(csr(NAME), authorization=made.basic)
        assert (answer.status_code, reason in answer.content.decode()) == (403, True)
    assert nothing_changed()
    # One whose secret is still to be made lets nobody in, whatever is sent.
    unmade = make_credential(secret_sha256="")
    for secret in ("", unmade.secret):
        assert est.post(csr(NAME), authorization=basic(str(unmade.row.pk), secret)).status_code == 401
    assert nothing_changed()


def test_a_credential_is_used_as_often_as_it_may(est: Est, make_credential: Callable[..., Made]) -> None:
    made = make_credential(most_uses=2)
    requests = [csr(f"pc{number}.example.com") for number in range(3)]
    assert [est.post(request, authorization=made.basic).status_code for request in requests] == [200, 200, 403]
    # Who got a certificate and lost the answer gets it again.
    assert est.post(requests[0], authorization=made.basic).status_code == 200
    assert Client.objects.count() == 2


def test_wrong_credentials_are_counted_limited_and_logged_once(
    est: Est, credential: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = basic(str(credential.row.pk), "not it")
    answer = est.post(csr(NAME), authorization=wrong)
    assert (answer.status_code, answer.content) == (401, b"This enrolment credential is not right.\n")
    assert answer["WWW-Authenticate"].startswith("Basic realm=")
    for header in ("Basic !!!", basic("nobody", "x"), basic("00000000-0000-4000-8000-000000000000", "x")):
        assert est.post(csr(NAME), authorization=header).status_code == 401
    for _ in range(guesses.MOST_OF_ADDRESS - 4):
        assert est.post(csr(NAME), authorization=wrong).status_code == 401
    # From now on nothing that this address guesses is written any more.
    answer = est.post(csr(NAME), authorization=wrong)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60 + 1
    assert sum(row.tries for row in WrongCredential.objects.all()) == guesses.MOST_OF_ADDRESS
    entries = Entry.objects.filter(action=Action.CREDENTIAL_REFUSED)
    assert sorted(entry.subject_id for entry in entries) == sorted(["", str(credential.row.pk)])
    assert "not it" not in "".join(entry.details for entry in entries)
    lines = [line for line in (settings.LOG_DIR / "pki-tls.log").read_text().splitlines() if "credential" in line]
    assert [line.split('result="')[1].split(":")[0] for line in lines] == ["wrong-credential", "too-many-guesses"]
    assert nothing_changed()
    # Whoever has the right one goes on, behind the same address too; and a guess is counted anew in the next window.
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 200
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + guesses.WINDOW)
    assert est.post(csr("pc2.example.com"), authorization=wrong).status_code == 401


def test_a_credential_that_is_guessed_at_from_everywhere(est: Est, credential: Made) -> None:
    window = guesses.window(clock.now())
    WrongCredential.objects.create(
        address="198.51.100.1", credential=str(credential.row.pk), window=window, tries=guesses.MOST_OF_CREDENTIAL
    )
    # Every address may err once; whoever made no mistake is not shut out.
    wrong = basic(str(credential.row.pk), "not it")
    assert [est.post(csr(NAME), authorization=wrong).status_code for _ in range(2)] == [401, 429]
    est.address = "192.0.2.8"
    assert est.post(csr(NAME), authorization=credential.basic).status_code == 200


def test_addresses_of_one_ipv6_site_count_as_one() -> None:
    assert guesses.origin("2001:db8:1:2:3:4:5:6") == guesses.origin("2001:db8:1:2::9") == "2001:db8:1:2::"
    assert guesses.origin("2001:db8:1:3::9") != guesses.origin("2001:db8:1:2::9")
    assert guesses.origin("192.0.2.7") == "192.0.2.7"


def test_before_the_worker_handed_the_keys_over(est: Est, credential: Made) -> None:
    from tests.trust.clients.est.conftest import forget
    from trust.issuing import places

    places.issuing_file().unlink()
    forget()
    for answer in (est.post(csr(NAME), authorization=credential.basic), est.http.get("/.well-known/est/cacerts")):
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert nothing_changed()
