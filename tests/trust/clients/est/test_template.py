"""What is rendered from the template is what `keys.issuance` prepares, byte by byte."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import ConflictError, UnavailableError
from keys import issuance, profiles
from keys.validity import period as period_of
from trust.clients import template
from trust.clients.template import Variable

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ROOT_KEY = ec.generate_private_key(ec.SECP384R1())
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ISSUER_KEYS: list[PrivateKey] = [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]
SUBJECT_KEYS: list[PrivateKey] = [
    *(ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())),
    rsa.generate_private_key(65537, 2048),
]
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=10).map(lambda labels: ".".join([*labels, "example"]))


def spki(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def intermediate(key: PrivateKey) -> bytes:
    root = issuance.issue(issuance.prepare(profiles.ROOT, name="R", subject_spki=spki(ROOT_KEY), now=NOW), ROOT_KEY)
    prepared = issuance.prepare(
        profiles.INTERMEDIATE, name="I", subject_spki=spki(key), now=NOW, issuer=root, hours=24 * 365 * 40
    )
    return issuance.issue(prepared, ROOT_KEY)


ISSUERS = [intermediate(key) for key in ISSUER_KEYS]


@settings(max_examples=40)
@given(
    name=NAMES,
    issuer=st.sampled_from(ISSUERS),
    key=st.sampled_from(SUBJECT_KEYS),
    ahead=st.integers(0, 39 * 365 * 24),
    hours=st.integers(1, 100_000),
)
def test_it_renders_what_is_prepared_and_linted(
    name: str, issuer: bytes, key: PrivateKey, ahead: int, hours: int
) -> None:
    # Past 2050 as well, where the times are spelt otherwise.
    prepared = issuance.prepare(
        profiles.CLIENT_TLS,
        name=name,
        subject_spki=spki(key),
        now=NOW + timedelta(hours=ahead),
        issuer=issuer,
        hours=hours,
        dns_names=(name,),
    )
    variable = Variable(prepared.serial, prepared.period, name, spki(key))
    assert template.make(issuer).render(variable) == prepared.tbs


@pytest.mark.parametrize("kind", [0, 1])
def test_what_it_issues_is_signed_and_says_what_was_meant(kind: int) -> None:
    made = template.make(ISSUERS[kind])
    period = period_of(NOW, hours=168)
    variable = Variable(template.new_serial(), period, "pc1.example.com", spki(SUBJECT_KEYS[0]))
    der = made.issue(variable, ISSUER_KEYS[kind])
    found = x509.load_der_x509_certificate(der)
    found.verify_directly_issued_by(x509.load_der_x509_certificate(ISSUERS[kind]))
    assert (found.serial_number, found.not_valid_after_utc) == (variable.serial, period.not_after)


def test_a_signature_by_another_key_or_another_content_does_not_leave() -> None:
    made = template.make(ISSUERS[0])
    variable = Variable(template.new_serial(), period_of(NOW, hours=1), "pc1.example.com", spki(SUBJECT_KEYS[0]))
    with pytest.raises(UnavailableError, match="does not verify"):
        made.issue(variable, ec.generate_private_key(ec.SECP256R1()))
    # A field that the template spells otherwise than it was told: times below a second do not exist in X.509.
    odd = period_of(NOW, hours=1)
    shifted = Variable(
        variable.serial,
        type(odd)(odd.not_before, odd.not_after + timedelta(microseconds=1)),
        variable.name,
        variable.spki_der,
    )
    with pytest.raises(ConflictError, match="differs from the intended one"):
        made.issue(shifted, ISSUER_KEYS[0])


def test_threads_that_prepare_it_at_once_disturb_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in the first moment of a process: each thread makes a sample key, and the cache keeps one of them.
    monkeypatch.setattr(template, "_sample_key", template._sample_key.__wrapped__)
    assert template.make.__wrapped__(ISSUERS[0]).render(
        Variable(1, period_of(NOW, hours=1), "pc.example.com", spki(SUBJECT_KEYS[0]))
    )
