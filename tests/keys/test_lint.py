"""The linter: each rule finds the certificate that breaks it, and only well-made ones pass."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keys import issuance, lint, profiles
from keys.lint import Intent
from keys.purposes import Purpose
from keys.validity import NEVER, Period
from tests.keys.software import FQDN, NOW, below, new_key, root

ROOT = root()
GOOD = below(ROOT, Purpose.SERVER_TLS)
KEY = new_key(Purpose.SERVER_TLS)
PARSED = x509.load_der_x509_certificate(GOOD.der)
INTENT = Intent(
    profile=profiles.SERVER_TLS,
    subject=PARSED.subject.public_bytes(),
    spki=GOOD.spki,
    algorithm="sha384_ecdsa",
    period=Period(PARSED.not_valid_before_utc, PARSED.not_valid_after_utc),
    dns_names=(FQDN,),
    issuer=asn1.Certificate.load(ROOT.der),
)
Builder = x509.CertificateBuilder


def codes(der: bytes, intent: Intent = INTENT) -> set[str]:
    return {problem.split(":")[0] for problem in lint.problems(der, intent)}


def rebuild(**changes: object) -> bytes:
    """Return GOOD once more, with some fields or extensions (by class name) exchanged; None leaves one out."""
    builder = (
        Builder()
        .subject_name(changes.pop("subject", PARSED.subject))  # type: ignore[arg-type]
        .issuer_name(changes.pop("issuer", PARSED.issuer))  # type: ignore[arg-type]
        .public_key(changes.pop("key", PARSED.public_key()))  # type: ignore[arg-type]
        .serial_number(changes.pop("serial", PARSED.serial_number))  # type: ignore[arg-type]
        .not_valid_before(changes.pop("begin", PARSED.not_valid_before_utc))  # type: ignore[arg-type]
        .not_valid_after(changes.pop("end", PARSED.not_valid_after_utc))  # type: ignore[arg-type]
    )
    hash_ = changes.pop("hash", hashes.SHA384())
    extensions = {type(e.value).__name__: (e.value, e.critical) for e in PARSED.extensions} | changes
    for pair in extensions.values():
        if pair is not None:
            builder = builder.add_extension(*pair)  # type: ignore[misc]
    return builder.sign(ROOT.key, hash_).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(**extra: bool) -> x509.KeyUsage:
    none = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    return x509.KeyUsage(**none | {"digital_signature": True} | extra)


def test_the_good_one_passes() -> None:
    assert codes(GOOD.der) == set()
    assert codes(rebuild()) == set()


SERVER_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: rebuild(serial=5), "serial"),
        (lambda: rebuild(hash=hashes.SHA256()), "algorithm"),
        (lambda: rebuild(issuer=name("Somebody Else")), "issuer"),
        (lambda: rebuild(subject=x509.Name([])), "subject"),
        (lambda: rebuild(subject=name("other")), "subject"),
        (lambda: rebuild(end=NOW + timedelta(days=9)), "period"),
        (lambda: rebuild(end=NEVER), "no-end"),
        (lambda: rebuild(begin=datetime(2020, 1, 1, tzinfo=UTC)), "outlives"),
        (lambda: rebuild(key=KEY.public_key()), "key"),
        (
            lambda: rebuild(BasicConstraints=(x509.BasicConstraints(ca=True, path_length=None), True)),
            "basic-constraints",
        ),
        (lambda: rebuild(KeyUsage=(usage(key_cert_sign=True), True)), "key-usage"),
        (lambda: rebuild(KeyUsage=(usage(), False)), "key-usage"),
        (lambda: rebuild(KeyUsage=None), "key-usage"),
        (lambda: rebuild(ExtendedKeyUsage=(SERVER_AUTH, False)), "extended-key-usage"),
        (lambda: rebuild(ExtendedKeyUsage=None), "extended-key-usage"),
        (lambda: rebuild(SubjectKeyIdentifier=None), "subject-key-identifier"),
        (lambda: rebuild(SubjectKeyIdentifier=(x509.SubjectKeyIdentifier(b"short"), False)), "subject-key-identifier"),
        (lambda: rebuild(AuthorityKeyIdentifier=None), "authority-key-identifier"),
        (lambda: rebuild(SubjectAlternativeName=None), "dns-names"),
        (
            lambda: rebuild(SubjectAlternativeName=(x509.SubjectAlternativeName([x509.DNSName("x.y")]), False)),
            "dns-names",
        ),
        (lambda: rebuild(OCSPNoCheck=(x509.OCSPNoCheck(), False)), "extensions"),
    ],
)
def test_each_rule_finds_its_breach(change: Callable[[], bytes], code: str) -> None:
    assert code in codes(change())


def test_version_one() -> None:
    """A version 1 certificate has no extensions; asn1crypto reads it all the same."""
    parsed = asn1.Certificate.load(GOOD.der)
    parsed["tbs_certificate"]["version"] = "v1"
    assert "version" in codes(parsed.dump(force=True))


def test_time_in_the_wrong_form() -> None:
    """RFC 5280 §4.1.2.5: through 2049 as UTCTime."""
    parsed = asn1.Certificate.load(GOOD.der)
    moment = parsed["tbs_certificate"]["validity"]["not_after"].native
    parsed["tbs_certificate"]["validity"]["not_after"] = asn1.Time("general_time", moment)
    assert "time" in codes(parsed.dump(force=True))


def test_not_der() -> None:
    """A length in the long form where the short one does."""
    tbs = asn1.Certificate.load(GOOD.der)
    serial = tbs["tbs_certificate"]["serial_number"].dump()
    at = GOOD.der.index(serial)
    longer = GOOD.der[:at] + serial[:1] + b"\x81" + serial[1:] + GOOD.der[at + len(serial) :]
    total, inner = len(longer) - 4, int.from_bytes(GOOD.der[6:8]) + 1
    longer = longer[:2] + total.to_bytes(2) + longer[4:6] + inner.to_bytes(2) + longer[8:]
    assert "der" in codes(longer)


def test_a_root_is_linted_as_what_it_is() -> None:
    certificate = x509.load_der_x509_certificate(ROOT.der)
    intent = replace(
        INTENT,
        profile=profiles.ROOT,
        subject=certificate.subject.public_bytes(),
        spki=ROOT.spki,
        period=Period(certificate.not_valid_before_utc, NEVER),
        dns_names=(),
        issuer=None,
    )
    assert codes(ROOT.der, intent) == set()
    assert codes(ROOT.der, replace(intent, profile=profiles.CROSS)) >= {"basic-constraints"}


def test_every_rule_has_a_source_and_a_test() -> None:
    here = {mark for _change, mark in test_each_rule_finds_its_breach.pytestmark[0].args[1]}  # type: ignore[attr-defined]
    assert {rule.code for rule in lint.RULES} == here | {"version", "time", "der"}
    assert all("§" in rule.source for rule in lint.RULES)


def test_key_identifier_is_that_of_rfc_7093() -> None:
    assert len(issuance.key_identifier(GOOD.spki)) == 20
