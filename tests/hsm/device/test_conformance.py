"""What every Device does, whatever is behind it: pki.db, a token, a token behind p11-kit-proxy."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.device import spki
from hsm.device.base import Device, KeySpec, SelfTesting, SignatureScheme
from hsm.device.errors import DeviceError, ErrorClass, KeyExistsError, KeyMissingError
from hsm.device.signer import device_private_key

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "srv.example Root 1")])
EC_SPECS = (KeySpec.EC_P256, KeySpec.EC_P384, KeySpec.EC_P521)
EC_SCHEMES = (SignatureScheme.ECDSA_SHA256, SignatureScheme.ECDSA_SHA384, SignatureScheme.ECDSA_SHA512)
RSA_SCHEMES = (
    SignatureScheme.RSA_PKCS1V15_SHA256,
    SignatureScheme.RSA_PKCS1V15_SHA384,
    SignatureScheme.RSA_PSS_SHA256,
)


def digest_for(scheme: SignatureScheme) -> bytes:
    return hashlib.new(scheme.hash_name, b"data").digest()


@pytest.mark.parametrize("spec", [*EC_SPECS, KeySpec.RSA_2048])
def test_a_new_key_pair_is_of_its_kind(device: Device, key_id: bytes, spec: KeySpec) -> None:
    key = spki.load(device.generate_key_pair(key_id, spec, "Root 1"))
    if spec.is_ec:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == spki.SPEC_CURVES[spec].name
    else:
        assert isinstance(key, rsa.RSAPublicKey)
        assert (key.key_size, key.public_numbers().e) == (spki.RSA_BITS[spec], 65537)


def test_a_key_is_found_by_its_id(device: Device, key_id: bytes) -> None:
    spki_der = device.generate_key_pair(key_id, KeySpec.EC_P384, "Würzburg Root 1")
    record = device.find(key_id)
    assert record is not None
    assert (record.key_id, record.label, record.spki_der) == (key_id, "Würzburg Root 1", spki_der)
    assert record.has_private
    assert record.has_public


def test_an_absent_key_is_none(device: Device, key_id: bytes) -> None:
    assert device.find(key_id) is None


def test_an_id_is_used_once(device: Device, key_id: bytes) -> None:
    spki_der = device.generate_key_pair(key_id, KeySpec.EC_P256, "first")
    with pytest.raises(KeyExistsError) as caught:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "second")
    assert not caught.value.outcome_unknown
    record = device.find(key_id)
    assert record is not None
    assert (record.label, record.spki_der) == ("first", spki_der)


@pytest.mark.parametrize("spec", EC_SPECS)
@pytest.mark.parametrize("scheme", EC_SCHEMES)
def test_ecdsa(device: Device, key_id: bytes, spec: KeySpec, scheme: SignatureScheme) -> None:
    key = spki.load(device.generate_key_pair(key_id, spec, "k"))
    signature = device.sign(key_id, digest_for(scheme), scheme)
    assert spki.verifies(key, signature, digest_for(scheme), scheme)


def test_rsa(device: Device, key_id: bytes) -> None:
    key = spki.load(device.generate_key_pair(key_id, KeySpec.RSA_2048, "k"))
    for scheme in RSA_SCHEMES:
        signature = device.sign(key_id, digest_for(scheme), scheme)
        assert spki.verifies(key, signature, digest_for(scheme), scheme), scheme


@pytest.mark.parametrize("length", [0, 20, 31, 33, 48, 1000])
def test_a_digest_of_the_wrong_length_is_refused(device: Device, key_id: bytes, length: int) -> None:
    device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    with pytest.raises(DeviceError) as caught:
        device.sign(key_id, bytes(length), SignatureScheme.ECDSA_SHA256)
    assert (caught.value.code, caught.value.error_class) == ("SCHEME_MISMATCH", ErrorClass.CALLER)


def test_a_scheme_of_another_kind_of_key_is_refused(device: Device, key_id: bytes) -> None:
    device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    with pytest.raises(DeviceError) as caught:
        device.sign(key_id, bytes(32), SignatureScheme.RSA_PKCS1V15_SHA256)
    assert caught.value.code == "SCHEME_MISMATCH"


def test_signing_with_an_absent_key(device: Device, key_id: bytes) -> None:
    with pytest.raises(KeyMissingError) as caught:
        device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
    assert caught.value.next_step


def test_a_destroyed_key_is_gone_and_destroying_again_is_harmless(device: Device, key_id: bytes) -> None:
    device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
    device.destroy(key_id)
    assert device.find(key_id) is None
    with pytest.raises(KeyMissingError):
        device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
    device.destroy(key_id)


def test_destroying_one_key_leaves_the_others(device: Device, key_id: bytes) -> None:
    other = secrets.token_bytes(16)
    device.generate_key_pair(key_id, KeySpec.EC_P256, "same label")
    device.generate_key_pair(other, KeySpec.EC_P256, "same label")
    device.destroy(key_id)
    assert device.find(other) is not None
    device.sign(other, bytes(32), SignatureScheme.ECDSA_SHA256)


def test_the_list_holds_what_find_finds(device: Device, key_id: bytes) -> None:
    device.generate_key_pair(key_id, KeySpec.EC_P256, "listed")
    listed = {record.key_id: record for record in device.list_keys()}
    assert listed[key_id] == device.find(key_id)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_an_odd_key_id_is_refused(device: Device, length: int) -> None:
    with pytest.raises(DeviceError) as caught:
        device.generate_key_pair(bytes(length), KeySpec.EC_P256, "k")
    assert caught.value.code == "KEY_ID"


def test_capabilities_name_what_works(device: Device) -> None:
    capabilities = device.capabilities()
    assert {*EC_SPECS, KeySpec.RSA_2048, KeySpec.RSA_3072} <= capabilities.specs
    assert {*EC_SCHEMES, *RSA_SCHEMES} <= capabilities.schemes


def test_the_self_test_is_green_and_leaves_nothing(device: Device) -> None:
    assert isinstance(device, SelfTesting)
    before = list(device.list_keys())
    lines = device.self_test((KeySpec.EC_P256, KeySpec.EC_P384, KeySpec.RSA_2048))
    assert all(line.ok for line in lines), lines
    assert len(lines) >= 4
    assert list(device.list_keys()) == before


def test_the_token_names_itself(device: Device) -> None:
    token = device.token()
    assert token.initialized
    assert token.label
    assert token.serial
    assert token.module.startswith("/")


def test_x509_with_an_ec_key(device: Device, key_id: bytes) -> None:
    key = device_private_key(device, key_id, device.generate_key_pair(key_id, KeySpec.EC_P384, "Root 1"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA384())
    certificate.verify_directly_issued_by(certificate)
    assert x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, hashes.SHA384()).is_signature_valid
    crl_builder = x509.CertificateRevocationListBuilder().issuer_name(NAME).last_update(NOW)
    crl = crl_builder.next_update(NOW + timedelta(days=1)).sign(key, hashes.SHA384())
    assert crl.is_signature_valid(key.public_key())


def test_x509_with_an_rsa_key(device: Device, key_id: bytes) -> None:
    key = device_private_key(device, key_id, device.generate_key_pair(key_id, KeySpec.RSA_2048, "legacy-root"))
    assert isinstance(key, rsa.RSAPrivateKey)
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    assert request.sign(key, hashes.SHA256()).is_signature_valid
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    assert request.sign(key, hashes.SHA256(), rsa_padding=pss).is_signature_valid


@settings(max_examples=8, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from(["make", "destroy", "sign"]), st.integers(0, 3)), max_size=8))
def test_any_order_of_acts(device: Device, acts: list[tuple[str, int]]) -> None:
    """Compare the device with a dictionary."""
    ids = [secrets.token_bytes(16) for _ in range(4)]
    model: dict[bytes, bytes] = {}
    for act, index in acts:
        key_id = ids[index]
        if act == "make" and key_id in model:
            with pytest.raises(KeyExistsError):
                device.generate_key_pair(key_id, KeySpec.EC_P256, "again")
        elif act == "make":
            model[key_id] = device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        elif act == "destroy":
            device.destroy(key_id)
            model.pop(key_id, None)
        elif key_id in model:
            signature = device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
            assert spki.verifies(spki.load(model[key_id]), signature, bytes(32), SignatureScheme.ECDSA_SHA256)
        else:
            with pytest.raises(KeyMissingError):
                device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
    found = {record.key_id: record.spki_der for record in device.list_keys() if record.key_id in ids}
    assert found == model
