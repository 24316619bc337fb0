"""What every ObjectDevice does with any key, whatever is behind it: made, imported, read, changed, removed."""

import secrets

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from hsm.device import softcrypto, spki
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import DeviceError, KeyExistsError, KeyMissingError
from hsm.device.listing import digest_of, record_digest
from hsm.device.objects import (
    ObjectDevice,
    Operation,
    family_of,
    operations_of,
)
from tests.hsm.device.objectcalls import (
    CMAC_SCHEME,
    DIGEST,
    ECDSA,
    GCM,
    OAEP,
    PAIR,
    SEALING,
    SECRET,
    SIGNING,
    existing,
    refused,
)


def pkcs8(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> Pin:
    plain = serialization.NoEncryption()
    return Pin(key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain))


# Making


@pytest.mark.parametrize("spec", [spec for spec in KeySpec if spec.is_ec or spec.is_aes or spec.bits == 2048])
def test_a_generated_key_is_as_it_was_asked_for(objects: ObjectDevice, key_id: bytes, spec: KeySpec) -> None:  # SOB-16
    made = objects.generate(key_id, spec, "Würzburg 1", SIGNING)
    assert (made.family, made.key_id, made.label, made.spec) == (family_of(spec), key_id, "Würzburg 1", spec)
    assert made.key_type == ("AES" if spec.is_aes else "EC" if spec.is_ec else "RSA")
    assert (made.bits, made.operations) == (spec.bits, SIGNING)
    assert (made.has_private, made.has_public, made.spki_der is None) == (True, not spec.is_aes, spec.is_aes)
    assert made == existing(objects, family_of(spec), key_id)
    if made.spki_der:
        assert spki.spec_of(spki.load(made.spki_der)) is spec


@pytest.mark.parametrize("spec", [KeySpec.EC_P256, KeySpec.AES_128])
def test_every_permission_is_the_one_asked_for(objects: ObjectDevice, spec: KeySpec) -> None:  # SOB-21
    for operation in operations_of(spec):
        made = objects.generate(secrets.token_bytes(16), spec, "one", frozenset({operation}))
        assert made.operations == {operation}
    assert objects.generate(secrets.token_bytes(16), spec, "none", frozenset()).operations == frozenset()


def test_what_a_kind_cannot_do_is_refused(objects: ObjectDevice, key_id: bytes) -> None:
    with pytest.raises(DeviceError) as caught:
        objects.generate(key_id, KeySpec.EC_P256, "k", SEALING)
    refused(caught, "OPERATION_NOT_PERMITTED")
    assert objects.read(PAIR, key_id) is None


@pytest.mark.parametrize("spec", [KeySpec.EC_P256, KeySpec.AES_128])
def test_an_id_is_used_once(objects: ObjectDevice, key_id: bytes, spec: KeySpec) -> None:
    made = objects.generate(key_id, spec, "first", SIGNING)
    for again in (KeySpec.EC_P256, KeySpec.AES_128):
        with pytest.raises(KeyExistsError) as caught:
            objects.generate(key_id, again, "second", SIGNING)
        assert not caught.value.outcome_unknown
    with pytest.raises(KeyExistsError):
        objects.import_key(key_id, KeySpec.AES_128, "third", SIGNING, Pin(bytes(16)))
    assert objects.read(made.family, key_id) == made


@pytest.mark.parametrize("length", [0, 15, 65])
def test_an_odd_id_is_refused_for_a_new_key(objects: ObjectDevice, length: int) -> None:
    with pytest.raises(DeviceError) as caught:
        objects.generate(bytes(length), KeySpec.EC_P256, "k", SIGNING)
    assert caught.value.code == "KEY_ID"


@pytest.mark.parametrize("length", [1, 15, 65, 255])
def test_any_id_addresses_a_key(objects: ObjectDevice, length: int) -> None:
    assert objects.read(PAIR, b"\x7f" * length) is None
    objects.remove(SECRET, b"\x7f" * length, None)


@pytest.mark.parametrize("length", [0, 256])
def test_no_id_at_all_addresses_none(objects: ObjectDevice, length: int) -> None:
    with pytest.raises(DeviceError) as caught:
        objects.read(PAIR, bytes(length))
    assert caught.value.code == "KEY_ID"


# Importing


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: str(curve.name))
def test_an_imported_ec_key_signs(objects: ObjectDevice, key_id: bytes, curve: ec.EllipticCurve) -> None:  # SOB-20
    key = ec.generate_private_key(curve)
    spec = spki.spec_of(key.public_key())
    assert spec is not None
    made = objects.import_key(key_id, spec, "imported", SIGNING, pkcs8(key))
    assert (made.spki_der, made.operations) == (spki.spki_der(key.public_key()), SIGNING)
    assert made.attributes.local is not True
    signature = objects.sign_data(PAIR, key_id, DIGEST, ECDSA)
    assert spki.verifies(key.public_key(), signature, DIGEST, ECDSA)


def test_an_imported_rsa_key_signs_and_decrypts(objects: ObjectDevice, key_id: bytes) -> None:
    key = rsa.generate_private_key(65537, 2048)
    made = objects.import_key(key_id, KeySpec.RSA_2048, "imported", SIGNING | SEALING, pkcs8(key))
    assert made.spki_der == spki.spki_der(key.public_key())
    scheme = SignatureScheme.RSA_PKCS1V15_SHA256
    assert spki.verifies(key.public_key(), objects.sign_data(PAIR, key_id, DIGEST, scheme), DIGEST, scheme)
    assert objects.decrypt(PAIR, key_id, softcrypto.oaep_encrypt(key.public_key(), b"secret"), OAEP) == b"secret"


@pytest.mark.parametrize("spec", [KeySpec.AES_128, KeySpec.AES_192, KeySpec.AES_256])
def test_an_imported_aes_key_gives_what_the_key_gives(  # SOB-12
    objects: ObjectDevice, key_id: bytes, spec: KeySpec
) -> None:
    secret = secrets.token_bytes(spec.bits // 8)
    made = objects.import_key(key_id, spec, "imported", SEALING | SIGNING, Pin(secret))
    assert (made.spec, made.bits, made.operations) == (spec, spec.bits, SEALING | SIGNING)
    sealed = objects.encrypt(SECRET, key_id, b"data", GCM)
    assert AESGCM(secret).decrypt(sealed[:12], sealed[12:], None) == b"data"
    mac = CMAC(AES(secret))
    mac.update(b"message")
    assert objects.sign_data(SECRET, key_id, b"message", CMAC_SCHEME) == mac.finalize()


@pytest.mark.parametrize(
    ("spec", "material", "code"),
    [
        (KeySpec.EC_P256, b"", "MATERIAL_INVALID"),
        (KeySpec.EC_P256, b"no key", "MATERIAL_INVALID"),
        (KeySpec.AES_128, b"", "MATERIAL_INVALID"),
        (KeySpec.AES_128, bytes(15), "MATERIAL_INVALID"),
        (KeySpec.AES_256, bytes(16), "MATERIAL_MISMATCH"),
        (KeySpec.EC_P256, ec.generate_private_key(ec.SECP384R1()), "MATERIAL_MISMATCH"),
        (KeySpec.EC_P256, ec.generate_private_key(ec.SECP256K1()), "MATERIAL_MISMATCH"),
        (KeySpec.EC_P256, ed25519.Ed25519PrivateKey.generate(), "MATERIAL_MISMATCH"),
        (KeySpec.RSA_2048, ec.generate_private_key(ec.SECP256R1()), "MATERIAL_MISMATCH"),
        (KeySpec.RSA_2048, rsa.generate_private_key(65537, 1024), "KEY_WEAK"),  # noqa: S505
    ],
)
def test_what_cannot_be_imported(  # SOB-19
    objects: ObjectDevice,
    key_id: bytes,
    spec: KeySpec,
    material: bytes | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    code: str,
) -> None:
    given_material = Pin(material) if isinstance(material, bytes) else pkcs8(material)
    with pytest.raises(DeviceError) as caught:
        objects.import_key(key_id, spec, "k", SIGNING, given_material)
    refused(caught, code)
    assert objects.read(family_of(spec), key_id) is None


def test_a_truncated_key_is_not_imported(objects: ObjectDevice, key_id: bytes) -> None:
    whole = pkcs8(ec.generate_private_key(ec.SECP256R1())).reveal_bytes()
    with pytest.raises(DeviceError) as caught:
        objects.import_key(key_id, KeySpec.EC_P256, "k", SIGNING, Pin(whole[:-20]))
    refused(caught, "MATERIAL_INVALID")
    assert caught.value.__cause__ is None


# Reading


def test_an_absent_key_is_none(objects: ObjectDevice, key_id: bytes) -> None:
    assert objects.read(PAIR, key_id) is None
    assert objects.read(SECRET, key_id) is None


def test_a_key_is_of_one_family(objects: ObjectDevice, key_id: bytes) -> None:
    objects.generate(key_id, KeySpec.AES_128, "aes", SIGNING)
    assert objects.read(PAIR, key_id) is None
    objects.remove(PAIR, key_id, None)
    assert objects.read(SECRET, key_id) is not None


def test_a_listing_holds_what_reading_reads(objects: ObjectDevice) -> None:
    ids = [secrets.token_bytes(16) for _ in range(3)]
    specs = (KeySpec.EC_P256, KeySpec.AES_128, KeySpec.EC_P384)
    for key_id, spec in zip(ids, specs, strict=True):
        objects.generate(key_id, spec, "listed", SIGNING)
    listing = objects.read_all()
    listed = {(record.family, record.key_id): record for record in listing.objects}
    for key_id, spec in zip(ids, specs, strict=True):
        assert listed[family_of(spec), key_id] == objects.read(family_of(spec), key_id)
    addresses = [(record.family.value, record.key_id) for record in listing.objects]
    assert addresses == sorted(set(addresses))
    assert list(listing.unmatched) == []
    assert listing.token.label == objects.token().label
    assert listing.digest == digest_of(listing.objects, listing.unmatched)


def test_a_known_digest_saves_the_listing(objects: ObjectDevice, key_id: bytes) -> None:
    first = objects.read_all()
    again = objects.read_all(first.digest)
    assert (again.unchanged, again.digest, list(again.objects)) == (True, first.digest, [])
    made = objects.generate(key_id, KeySpec.AES_128, "new", SIGNING)
    grown = objects.read_all(first.digest)
    assert not grown.unchanged
    assert len(grown.objects) == len(first.objects) + 1
    objects.permit(SECRET, key_id, SEALING)
    changed = objects.read_all(grown.digest)
    assert not changed.unchanged
    assert record_digest(existing(objects, SECRET, key_id)) != record_digest(made)
    objects.remove(SECRET, key_id, None)
    assert objects.read_all(first.digest).unchanged


# Changing


@pytest.mark.parametrize("spec", [KeySpec.EC_P256, KeySpec.AES_128])
def test_permissions_become_exactly_what_is_set(objects: ObjectDevice, key_id: bytes, spec: KeySpec) -> None:  # POL-09
    family, whole = family_of(spec), operations_of(spec)
    objects.generate(key_id, spec, "k", whole)
    for wanted in (SIGNING, frozenset({Operation.VERIFY}), frozenset[Operation](), whole):
        assert objects.permit(family, key_id, wanted).operations == wanted
        assert existing(objects, family, key_id).operations == wanted


def test_permissions_of_an_absent_key(objects: ObjectDevice, key_id: bytes) -> None:
    with pytest.raises(KeyMissingError):
        objects.permit(PAIR, key_id, SIGNING)


def test_a_key_without_its_private_half_verifies_and_does_not_sign(  # SOB-28
    objects: ObjectDevice, key_id: bytes
) -> None:
    made = objects.generate(key_id, KeySpec.EC_P256, "k", SIGNING)
    signature = objects.sign_data(PAIR, key_id, DIGEST, ECDSA)
    objects.remove_private(key_id)
    left = existing(objects, PAIR, key_id)
    assert (left.has_private, left.has_public, left.spki_der) == (False, True, made.spki_der)
    assert objects.verify_data(PAIR, key_id, DIGEST, signature, ECDSA)
    with pytest.raises(DeviceError):
        objects.sign_data(PAIR, key_id, DIGEST, ECDSA)
    with pytest.raises(KeyMissingError):
        objects.permit(PAIR, key_id, SIGNING)
    objects.remove_private(key_id)
    objects.remove(PAIR, key_id, made.spki_der)
    assert objects.read(PAIR, key_id) is None


def test_another_key_than_the_one_meant_is_not_removed(objects: ObjectDevice, key_id: bytes) -> None:
    made = objects.generate(key_id, KeySpec.EC_P256, "k", SIGNING)
    other = spki.spki_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(DeviceError) as caught:
        objects.remove(PAIR, key_id, other)
    assert caught.value.code == "KEY_DIFFERS"
    assert objects.read(PAIR, key_id) == made


@pytest.mark.parametrize("spec", [KeySpec.EC_P256, KeySpec.AES_128])
def test_a_removed_key_is_gone_and_removing_again_is_harmless(
    objects: ObjectDevice, key_id: bytes, spec: KeySpec
) -> None:
    made = objects.generate(key_id, spec, "k", SIGNING)
    for _ in range(2):
        objects.remove(family_of(spec), key_id, made.spki_der)
        assert objects.read(family_of(spec), key_id) is None
    objects.remove_private(key_id)
