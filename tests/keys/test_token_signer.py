"""Certificates, CRLs and directives signed inside a real token, through the module host (KEY-02, HSI-04)."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from console.lib.digest import spki_fingerprint
from hsm.device.base import Device, KeySpec, Pin
from hsm.device.opening import open_token
from hsm.device.signer import device_private_key
from keys import crl, cross, directive, issuance
from keys.crl import Reason, Revoked
from keys.directive import RevokedKey
from keys.purposes import PURPOSES, Purpose
from keys.signing import Signer
from tests.fixtures.softhsm import SoftHsm
from tests.keys.software import FQDN, NOW, Certified, below, root
from tests.keys.test_chains import openssl_verify


@dataclass(frozen=True)
class OnToken:
    """A root whose private half is on the token."""

    key: Signer
    der: bytes
    spki: bytes


@pytest.fixture
def device(softhsm: SoftHsm) -> Iterator[Device]:
    token = softhsm.token("alpha")
    with open_token(
        token.module,
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin.encode()),
        pin_version="1",
        deadline_s=20,
    ) as opened:
        yield opened


@pytest.fixture(params=[KeySpec.EC_P384, KeySpec.RSA_3072])
def on_token(device: Device, request: pytest.FixtureRequest) -> OnToken:
    """Make a root on the token: EC as every root, RSA as an upgraded deployment has legacy-root (HSI-05)."""
    key_id = secrets.token_bytes(16)
    spki = device.generate_key_pair(key_id, request.param, "root")
    signer = device_private_key(device, key_id, spki)
    purpose = Purpose.ROOT if request.param is KeySpec.EC_P384 else Purpose.LEGACY_ROOT
    facts = PURPOSES[purpose]
    prepared = issuance.prepare(facts.profile, name=facts.name(FQDN, 7), subject_spki=spki, now=NOW, spec=facts.spec)
    return OnToken(signer, issuance.issue(prepared, signer), spki)


def test_a_chain_from_the_token(on_token: OnToken, tmp_path: Path) -> None:
    issuer = Certified(on_token.key, on_token.der)
    server = below(issuer, Purpose.SERVER_TLS)
    intermediate = below(issuer, Purpose.CLIENT_TLS_CA)
    client = below(intermediate, Purpose.CLIENT_TLS, fqdn="pc7.example.com")
    assert openssl_verify(tmp_path, server.der, anchor=on_token.der, at=NOW).endswith("OK\n")
    said = openssl_verify(tmp_path, client.der, anchor=on_token.der, between=(intermediate.der,), at=NOW)
    assert said.endswith("OK\n"), said


def test_cross_certificate_crl_and_directive(on_token: OnToken, tmp_path: Path) -> None:
    old = root(0)
    bridge = issuance.issue(cross.old_with_new(old.der, on_token.der, now=NOW), on_token.key)
    leaf = below(old, Purpose.SERVER_TLS)
    said = openssl_verify(tmp_path, leaf.der, anchor=on_token.der, between=(bridge,), at=NOW)
    assert said.endswith("OK\n"), said

    der = crl.issue(crl.prepare(on_token.der, [Revoked(9, NOW, Reason.SUPERSEDED)], number=1, now=NOW), on_token.key)
    public = x509.load_der_x509_certificate(on_token.der).public_key()
    assert x509.load_der_x509_crl(der).is_signature_valid(public)  # type: ignore[arg-type]

    gone = RevokedKey(f"{FQDN} Root 0", spki_fingerprint(old.spki), Reason.SUPERSEDED, NOW)
    body = directive.prepare(server=FQDN, number=1, revoked=[gone], signer_spki=on_token.spki, now=NOW)
    assert directive.verify(body, directive.sign(body, on_token.key), on_token.spki)["number"] == 1
