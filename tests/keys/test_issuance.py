"""Certificates: what is prepared, what is refused, and that a prepared one is signed once (KEY-39, 46 to 50)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import ConflictError, ConsoleError, InvalidError, RefusedError, UnavailableError
from keys import issuance, profiles
from keys.goodkey import WeakKeyError
from keys.issuance import PreparedCertificate
from keys.purposes import PURPOSES, Purpose
from keys.signing import Signer, spki_of
from tests.keys.software import FQDN, NOW, below, dns_names, root

ROOT = root()
INTERMEDIATE = below(ROOT, Purpose.CLIENT_TLS_CA, hours=180 * 24)
P256 = ec.generate_private_key(ec.SECP256R1())


def prepare_tls(**changes: object) -> PreparedCertificate:
    given: dict[str, object] = {
        "name": FQDN,
        "subject_spki": spki_of(P256.public_key()),
        "now": NOW,
        "issuer": ROOT.der,
        "hours": 60 * 24,
        "dns_names": (FQDN,),
    }
    profile = changes.pop("profile", profiles.SERVER_TLS)
    return issuance.prepare(profile, **given | changes)  # type: ignore[arg-type]


def test_root_has_no_end_and_no_path_length() -> None:
    """KEY-39: 99991231235959Z, GeneralizedTime (RFC 5280 §4.1.2.5)."""
    not_after = asn1.Certificate.load(ROOT.der)["tbs_certificate"]["validity"]["not_after"]
    assert (not_after.name, not_after.chosen.contents) == ("general_time", b"99991231235959Z")
    certificate = x509.load_der_x509_certificate(ROOT.der)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=None)
    assert certificate.subject == certificate.issuer
    assert certificate.subject.rfc4514_string() == f"CN={FQDN} Root 0"
    assert isinstance(certificate.public_key().curve, ec.SECP384R1)  # type: ignore[union-attr]


def test_legacy_root_is_rsa_3072() -> None:
    certificate = x509.load_der_x509_certificate(root(purpose=Purpose.LEGACY_ROOT).der)
    assert certificate.public_key().key_size == 3072  # type: ignore[union-attr]
    assert certificate.subject.rfc4514_string() == "CN=legacy-root"
    certificate.verify_directly_issued_by(certificate)


@pytest.mark.parametrize("purpose", [p for p in Purpose if PURPOSES[p].issuer is Purpose.ROOT])
def test_every_purpose_below_a_root(purpose: Purpose) -> None:
    """KEY-46, KEY-47, KEY-50: signed by the root, with the extensions of the purpose."""
    made = x509.load_der_x509_certificate(below(ROOT, purpose).der)
    made.verify_directly_issued_by(x509.load_der_x509_certificate(ROOT.der))
    profile = PURPOSES[purpose].profile
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [use.dotted_string for use in usage] == list(profile.extended_key_usage)
    own = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert own == issuance.key_identifier(ROOT.spki)
    assert made.not_valid_after_utc == NOW + timedelta(hours=24)


def test_server_tls_names_its_host() -> None:
    made = x509.load_der_x509_certificate(below(ROOT, Purpose.SERVER_TLS).der)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == [FQDN]
    assert not names.critical


def test_client_below_intermediate_is_cut_to_it() -> None:
    """KEY-48; no certificate outlives its issuer (docs/design.md §5)."""
    made = x509.load_der_x509_certificate(below(INTERMEDIATE, Purpose.CLIENT_TLS, hours=24 * 365).der)
    issuer = x509.load_der_x509_certificate(INTERMEDIATE.der)
    made.verify_directly_issued_by(issuer)
    assert made.not_valid_after_utc == issuer.not_valid_after_utc


def test_serials_are_random_and_long() -> None:
    """RFC 5280 §4.1.2.2: positive, at most 20 octets; ours hold 158 random bits."""
    serials = {prepare_tls().serial for _ in range(50)}
    assert len(serials) == 50
    assert {serial.bit_length() for serial in serials} == {159}


def test_issued_bytes_are_the_intended_ones() -> None:
    prepared = prepare_tls()
    der = issuance.issue(prepared, ROOT.key)
    assert x509.load_der_x509_certificate(der).tbs_certificate_bytes == prepared.tbs
    assert x509.load_der_x509_certificate(der).serial_number == prepared.serial
    assert prepared.period.not_after == NOW + timedelta(days=60)


def test_a_prepared_certificate_is_issued_once() -> None:
    prepared = prepare_tls()
    issuance.issue(prepared, ROOT.key)
    with pytest.raises(ConflictError, match="issued already"):
        issuance.issue(prepared, ROOT.key)


def test_what_is_stored_before_it_is_what_is_signed() -> None:
    prepared = prepare_tls()
    signed = x509.load_der_x509_certificate(issuance.issue(prepared, ROOT.key)).tbs_certificate_bytes
    assert json.loads(prepared.record)["tbs"] == prepared.tbs.hex() == signed.hex()


def test_the_wrong_key_signs_nothing() -> None:
    prepared = prepare_tls()
    with pytest.raises(ConflictError, match="not the key"):
        issuance.issue(prepared, ec.generate_private_key(ec.SECP384R1()))
    issuance.issue(prepared, ROOT.key)  # the refusal has not used it up


class Faulty(ec.EllipticCurvePrivateKey):
    """A token that answers, but with the signature of something else."""

    def __init__(self, real: Signer) -> None:
        self.real = real

    def sign(
        self, data: bytes | bytearray | memoryview, signature_algorithm: ec.EllipticCurveSignatureAlgorithm
    ) -> bytes:
        assert isinstance(self.real, ec.EllipticCurvePrivateKey)
        return self.real.sign(bytes(data) + b"!", signature_algorithm)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.real.public_key()  # type: ignore[return-value]

    def _absent(self, *_args: object) -> None:
        raise NotImplementedError

    exchange = private_numbers = private_bytes = curve = key_size = _absent  # type: ignore[assignment]
    __copy__ = __deepcopy__ = _absent  # type: ignore[assignment]


def test_a_bad_signature_is_found_and_uses_the_certificate_up() -> None:
    prepared = prepare_tls()
    with pytest.raises(UnavailableError) as caught:
        issuance.issue(prepared, Faulty(ROOT.key))
    assert caught.value.code == "bad-signature"
    with pytest.raises(ConflictError):
        issuance.issue(prepared, ROOT.key)


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"dns_names": ("bad_name",)}, InvalidError, "bad-host-name"),
        ({"dns_names": ()}, InvalidError, ""),
        ({"profile": profiles.MESSAGE_SIGNING}, InvalidError, ""),
        ({"hours": None}, InvalidError, "bad-validity"),
        ({"hours": 0}, InvalidError, "bad-validity"),
        ({"issuer": None}, InvalidError, ""),
        ({"profile": profiles.ROOT}, InvalidError, ""),
        ({"name": "a\nb"}, InvalidError, "bad-name"),
        ({"subject_spki": b"no key"}, WeakKeyError, "bad-key"),
        ({"spec": PURPOSES[Purpose.ROOT].spec}, WeakKeyError, "wrong-kind-of-key"),
        ({"issuer": below(ROOT, Purpose.SERVER_TLS).der}, RefusedError, "not-a-ca"),
        ({"issuer": INTERMEDIATE.der, "profile": profiles.INTERMEDIATE, "dns_names": ()}, RefusedError, "path-length"),
        ({"issuer": INTERMEDIATE.der, "profile": profiles.MESSAGE_SIGNING, "dns_names": ()}, RefusedError, "purpose"),
        ({"issuer": INTERMEDIATE.der, "now": NOW + timedelta(days=181)}, RefusedError, "issuer-expired"),
        ({"issuer": INTERMEDIATE.der, "now": NOW - timedelta(days=1)}, RefusedError, "issuer-expired"),
        ({"name": f"{FQDN} Root 0"}, RefusedError, "same-name"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], error: type[ConsoleError], code: str) -> None:
    with pytest.raises(error) as caught:
        prepare_tls(**changes)
    assert caught.value.code == code


def test_a_long_fqdn_keeps_its_full_name_in_the_certificate() -> None:
    fqdn = "a" * 60 + "." + "b" * 60 + ".example.com"
    made = x509.load_der_x509_certificate(below(ROOT, Purpose.SERVER_TLS, fqdn=fqdn).der)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [fqdn]


@settings(max_examples=60, deadline=None)
@given(
    purpose=st.sampled_from([p for p in Purpose if PURPOSES[p].issuer is Purpose.ROOT]),
    moment=st.datetimes(datetime(2026, 11, 23), datetime(2120, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    hours=st.integers(1, 24 * 3650),
    label=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
)
def test_whatever_is_asked_for_passes_the_lint(purpose: Purpose, moment: datetime, hours: int, label: str) -> None:
    """Across 2049/2050 too, where the encoding of time changes."""
    fqdn, facts = f"{label}.example.com", PURPOSES[purpose]
    prepared = issuance.prepare(
        facts.profile,
        name=facts.name(fqdn),
        subject_spki=spki_of(P256.public_key()),
        now=moment,
        issuer=ROOT.der,
        hours=hours,
        dns_names=dns_names(facts.profile, fqdn),
    )
    der = issuance.issue(prepared, ROOT.key)
    x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(ROOT.der))


def test_every_purpose_names_its_settings() -> None:
    """ROT-09 to ROT-20: twelve names; the two kinds of intermediate share a pair."""
    named = {(f.duration_setting, f.window_setting) for f in PURPOSES.values() if f.issuer}
    assert len(named) == 6
    assert set(PURPOSES) == set(Purpose)
    assert [p for p, f in PURPOSES.items() if f.settings_key] == [Purpose.ROOT, Purpose.MESSAGE_SIGNING]
