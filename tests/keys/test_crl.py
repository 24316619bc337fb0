"""The last CRL of a root, read back and used by OpenSSL."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import ConflictError, InvalidError, RefusedError
from keys import crl
from keys.crl import Reason, Revoked
from keys.purposes import Purpose
from tests.keys.software import NOW, below, root
from tests.keys.test_chains import pem

ROOT = root()
SERIALS = st.integers(1, 2**159 - 1)


def test_last_crl_holds_for_ever() -> None:
    """The field nextUpdate is 99991231235959Z, CRL number, issuer key identifier, reasons (RFC 5280 §5)."""
    entries = [Revoked(7, NOW, Reason.KEY_COMPROMISE), Revoked(8, NOW)]
    der = crl.issue(crl.prepare(ROOT.der, entries, number=3, now=NOW), ROOT.key)
    next_update = asn1.CertificateList.load(der, strict=True)["tbs_cert_list"]["next_update"]
    assert (next_update.name, next_update.chosen.contents) == ("general_time", b"99991231235959Z")
    made = x509.load_der_x509_crl(der)
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert not made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).critical
    first, second = made
    assert first.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert len(second.extensions) == 0
    assert made.is_signature_valid(ROOT.key.public_key())


def test_openssl_refuses_what_it_covers(tmp_path: Path) -> None:
    """KEY-27: old subordinate keys are no longer valid; those that were not named are."""
    revoked, kept = below(ROOT, Purpose.SERVER_TLS), below(ROOT, Purpose.SERVER_TLS)
    serial = x509.load_der_x509_certificate(revoked.der).serial_number
    der = crl.issue(crl.prepare(ROOT.der, [Revoked(serial, NOW, Reason.SUPERSEDED)], number=1, now=NOW), ROOT.key)
    crl_file = tmp_path / "crl.pem"
    crl_file.write_bytes(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM))

    def verify(leaf: bytes) -> str:
        command = ["openssl", "verify", "-x509_strict", "-crl_check", "-attime", str(int(NOW.timestamp()) + 60)]
        files = [
            "-CAfile",
            pem(tmp_path / "ca.pem", ROOT.der),
            "-CRLfile",
            str(crl_file),
            pem(tmp_path / "l.pem", leaf),
        ]
        done = subprocess.run(command + files, capture_output=True, text=True, check=False, timeout=300)
        return done.stdout + done.stderr

    assert "certificate revoked" in verify(revoked.der)
    assert verify(kept.der).endswith("OK\n")


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(SERIALS, st.sampled_from(Reason), max_size=20), st.integers(0, 2**159 - 1))
def test_whatever_goes_in_comes_out(reasons: dict[int, Reason], number: int) -> None:
    when = NOW - timedelta(days=1)
    prepared = crl.prepare(ROOT.der, [Revoked(s, when, r) for s, r in reasons.items()], number=number, now=NOW)
    made = x509.load_der_x509_crl(crl.issue(prepared, ROOT.key))
    assert {entry.serial_number for entry in made} == set(reasons)
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == number
    assert {entry.revocation_date_utc for entry in made} <= {when}


def test_a_prepared_crl_is_issued_once() -> None:
    prepared = crl.prepare(ROOT.der, [], number=0, now=NOW)
    with pytest.raises(ConflictError):
        crl.issue(prepared, root(1).key)
    crl.issue(prepared, ROOT.key)
    with pytest.raises(ConflictError):
        crl.issue(prepared, ROOT.key)


def test_what_is_refused() -> None:
    with pytest.raises(RefusedError):
        crl.prepare(below(ROOT, Purpose.SERVER_TLS).der, [], number=0, now=NOW)
    with pytest.raises(InvalidError):
        crl.prepare(ROOT.der, [], number=2**159, now=NOW)
    with pytest.raises(InvalidError):
        crl.prepare(ROOT.der, [Revoked(7, NOW), Revoked(7, NOW)], number=0, now=NOW)
