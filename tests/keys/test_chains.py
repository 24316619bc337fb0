"""Chains as others see them: OpenSSL and the verifier of cryptography (KEY-02, KEY-46 to KEY-50)."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from keys import cross, issuance
from keys.purposes import PURPOSES, Purpose
from tests.keys.software import FQDN, NOW, Certified, below, root

OLD, NEW = root(0), root(1, now=NOW + timedelta(days=400))
LATER = NOW + timedelta(days=400, hours=1)


def pem(path: Path, *ders: bytes) -> str:
    path.write_bytes(b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders))
    return str(path)


def openssl_verify(
    tmp: Path, leaf: bytes, *, anchor: bytes, between: tuple[bytes, ...] = (), at: datetime, extra: tuple[str, ...] = ()
) -> str:
    """Return what `openssl verify` prints with every strict check on."""
    chain = ("-untrusted", pem(tmp / "between.pem", *between)) if between else ()
    done = subprocess.run(
        [
            "openssl", "verify", "-x509_strict", "-check_ss_sig", "-policy_check", "-no-CApath", "-no-CAstore",
            "-attime", str(int(at.timestamp())), "-CAfile", pem(tmp / "anchor.pem", anchor), *chain, *extra,
            pem(tmp / "leaf.pem", leaf),
        ],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return done.stdout + done.stderr


def web_verifier(anchor: bytes, at: datetime) -> PolicyBuilder:
    return PolicyBuilder().store(Store([x509.load_der_x509_certificate(anchor)])).time(at).max_chain_depth(3)


@pytest.mark.parametrize("purpose", [p for p in Purpose if PURPOSES[p].issuer is Purpose.ROOT])
def test_subordinates_chain_to_the_root(tmp_path: Path, purpose: Purpose) -> None:
    """KEY-02, KEY-46, KEY-47, KEY-50."""
    made = below(OLD, purpose)
    assert openssl_verify(tmp_path, made.der, anchor=OLD.der, at=NOW).endswith("OK\n")
    assert "certificate has expired" in openssl_verify(tmp_path, made.der, anchor=OLD.der, at=NOW + timedelta(days=2))


def test_root_holds_for_ever(tmp_path: Path) -> None:
    """KEY-39."""
    far = datetime(9000, 1, 1, tzinfo=UTC)
    assert openssl_verify(tmp_path, OLD.der, anchor=OLD.der, at=far).endswith("OK\n")


def test_client_through_intermediate(tmp_path: Path) -> None:
    """KEY-48, KEY-50: client, intermediate, root; as TLS client and as TLS server."""
    intermediate = below(OLD, Purpose.CLIENT_TLS_CA, hours=4320)
    client = below(intermediate, Purpose.CLIENT_TLS, fqdn="pc7.example.com")
    for purpose in ("sslclient", "sslserver"):
        said = openssl_verify(
            tmp_path, client.der, anchor=OLD.der, between=(intermediate.der,), at=NOW, extra=("-purpose", purpose)
        )
        assert said.endswith("OK\n"), said
    loaded = [x509.load_der_x509_certificate(made.der) for made in (client, intermediate)]
    verified = web_verifier(OLD.der, NOW).build_client_verifier().verify(loaded[0], loaded[1:])
    assert len(verified.chain) == 3
    server = web_verifier(OLD.der, NOW).build_server_verifier(x509.DNSName("pc7.example.com"))
    assert len(server.verify(loaded[0], loaded[1:])) == 3


def test_server_tls_for_its_own_name_only(tmp_path: Path) -> None:
    made = x509.load_der_x509_certificate(below(OLD, Purpose.SERVER_TLS).der)
    assert web_verifier(OLD.der, NOW).build_server_verifier(x509.DNSName(FQDN)).verify(made, [])
    with pytest.raises(VerificationError):
        web_verifier(OLD.der, NOW).build_server_verifier(x509.DNSName("ts2.example.com")).verify(made, [])
    said = openssl_verify(
        tmp_path, made.public_bytes(Encoding.DER), anchor=OLD.der, at=NOW, extra=("-verify_hostname", FQDN)
    )
    assert said.endswith("OK\n")


def test_message_signing_is_no_tls_key(tmp_path: Path) -> None:
    """KEY-47, and why the purpose is our own."""
    made = below(OLD, Purpose.MESSAGE_SIGNING)
    for purpose in ("sslclient", "sslserver", "smimesign"):
        said = openssl_verify(tmp_path, made.der, anchor=OLD.der, at=NOW, extra=("-purpose", purpose))
        assert "unsuitable certificate purpose" in said or "unsupported certificate purpose" in said


def crossed(way: str) -> bytes:
    if way == "old with new":
        return issuance.issue(cross.old_with_new(OLD.der, NEW.der, now=LATER), NEW.key)
    return issuance.issue(cross.new_with_old(NEW.der, OLD.der, now=LATER), OLD.key)


@pytest.mark.parametrize(("way", "signed_by", "known"), [("old with new", OLD, NEW), ("new with old", NEW, OLD)])
def test_cross_certificates_carry_over(tmp_path: Path, way: str, signed_by: Certified, known: Certified) -> None:
    """RFC 4210 §4.4: who knows only one root accepts what is below the other, intermediates included."""
    bridge = crossed(way)
    intermediate = below(signed_by, Purpose.CLIENT_TLS_CA, hours=4320, now=LATER)
    client = below(intermediate, Purpose.CLIENT_TLS, fqdn="pc7.example.com", now=LATER)
    server = below(signed_by, Purpose.SERVER_TLS, now=LATER)
    for leaf, between in ((server, (bridge,)), (client, (intermediate.der, bridge))):
        assert openssl_verify(tmp_path, leaf.der, anchor=known.der, between=between, at=LATER).endswith("OK\n")
        assert "OK" not in openssl_verify(tmp_path, leaf.der, anchor=known.der, between=between[:-1], at=LATER)
    loaded = [x509.load_der_x509_certificate(der) for der in (client.der, intermediate.der, bridge)]
    assert len(web_verifier(known.der, LATER).build_client_verifier().verify(loaded[0], loaded[1:]).chain) == 4


def test_a_cross_certificate_bounds_the_path(tmp_path: Path) -> None:
    """Path length 1: a further CA below the intermediate is not accepted, even if somebody signed one."""
    bridge = x509.load_der_x509_certificate(crossed("new with old"))
    constraints = bridge.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints == x509.BasicConstraints(ca=True, path_length=1)
    assert bridge.not_valid_after_utc.year == 9999
    certified = x509.load_der_x509_certificate(NEW.der)
    assert bridge.subject == certified.subject
    for kind in (x509.SubjectKeyIdentifier,):
        assert bridge.extensions.get_extension_for_class(kind) == certified.extensions.get_extension_for_class(kind)


def test_a_legacy_root_can_be_crossed_too(tmp_path: Path) -> None:
    """Not done by the console (docs/design.md §5); the function itself does not care for the kind of key."""
    legacy = root(purpose=Purpose.LEGACY_ROOT)
    bridge = issuance.issue(cross.new_with_old(OLD.der, legacy.der, now=NOW), legacy.key)
    leaf = below(OLD, Purpose.SERVER_TLS)
    assert openssl_verify(tmp_path, leaf.der, anchor=legacy.der, between=(bridge,), at=NOW).endswith("OK\n")


def test_only_roots_are_crossed() -> None:
    from console.lib.errors import RefusedError

    with pytest.raises(RefusedError):
        cross.old_with_new(below(OLD, Purpose.CLIENT_TLS_CA).der, NEW.der, now=LATER)
