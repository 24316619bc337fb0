"""What every ObjectDevice does with a key that is used, whatever is behind it, and what it refuses."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.device import spki
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.errors import DeviceError, ErrorClass, KeyMissingError
from hsm.device.objects import (
    MAX_DATA_BYTES,
    ObjectDevice,
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


@pytest.fixture(scope="module")
def rsa_key_id(objects: ObjectDevice) -> bytes:
    """Make one RSA key for all tests that only use it, for it takes its time."""
    key_id = secrets.token_bytes(16)
    objects.generate(key_id, KeySpec.RSA_2048, "rsa", operations_of(KeySpec.RSA_2048))
    return key_id


@pytest.fixture(scope="module")
def aes_key_id(objects: ObjectDevice) -> bytes:
    """Make one AES key for all tests that only use it."""
    key_id = secrets.token_bytes(16)
    objects.generate(key_id, KeySpec.AES_256, "aes", SEALING | SIGNING)
    return key_id


def acts(*given: Callable[[], object]) -> tuple[Callable[[], object], ...]:
    return given


@pytest.mark.parametrize(
    "scheme",
    [SignatureScheme.RSA_PKCS1V15_SHA256, SignatureScheme.RSA_PKCS1V15_SHA384, SignatureScheme.RSA_PSS_SHA256],
)
def test_rsa_signatures(objects: ObjectDevice, rsa_key_id: bytes, scheme: SignatureScheme) -> None:
    digest = bytes(range(scheme.digest_bytes))
    public = spki.load(existing(objects, PAIR, rsa_key_id).spki_der or b"")
    signature = objects.sign_data(PAIR, rsa_key_id, digest, scheme)
    assert spki.verifies(public, signature, digest, scheme)
    assert objects.verify_data(PAIR, rsa_key_id, digest, signature, scheme)
    for wrong in (b"", b"x", signature[:-1], bytes(len(signature))):
        assert not objects.verify_data(PAIR, rsa_key_id, digest, wrong, scheme)


def test_ecdsa_signatures(objects: ObjectDevice, key_id: bytes) -> None:
    made = objects.generate(key_id, KeySpec.EC_P256, "k", SIGNING)
    signature = objects.sign_data(PAIR, key_id, DIGEST, ECDSA)
    assert spki.verifies(spki.load(made.spki_der or b""), signature, DIGEST, ECDSA)
    assert objects.verify_data(PAIR, key_id, DIGEST, signature, ECDSA)
    assert not objects.verify_data(PAIR, key_id, bytes(32), signature, ECDSA)
    for wrong in (b"", b"\x30\x00", signature + b"\0", signature[:-1]):
        assert not objects.verify_data(PAIR, key_id, DIGEST, wrong, ECDSA)


def test_macs(objects: ObjectDevice, aes_key_id: bytes) -> None:
    for data in (b"", b"message", bytes(MAX_DATA_BYTES)):
        mac = objects.sign_data(SECRET, aes_key_id, data, CMAC_SCHEME)
        assert len(mac) == 16
        assert objects.verify_data(SECRET, aes_key_id, data, mac, CMAC_SCHEME)
        for wrong in (b"", mac[:-1], bytes(16)):
            assert not objects.verify_data(SECRET, aes_key_id, data, wrong, CMAC_SCHEME)


@settings(max_examples=6, deadline=None)
@given(data=st.binary(max_size=MAX_DATA_BYTES))
def test_what_is_encrypted_is_decrypted(objects: ObjectDevice, aes_key_id: bytes, data: bytes) -> None:
    sealed = objects.encrypt(SECRET, aes_key_id, data, GCM)
    assert len(sealed) == len(data) + 28
    assert objects.decrypt(SECRET, aes_key_id, sealed, GCM) == data


def test_no_two_ciphertexts_are_alike(objects: ObjectDevice, aes_key_id: bytes) -> None:
    assert len({objects.encrypt(SECRET, aes_key_id, b"same", GCM)[:12] for _ in range(8)}) == 8


def test_oaep(objects: ObjectDevice, rsa_key_id: bytes) -> None:
    most = 256 - 42
    for data in (b"", b"secret", bytes(most)):
        assert objects.decrypt(PAIR, rsa_key_id, objects.encrypt(PAIR, rsa_key_id, data, OAEP), OAEP) == data
    with pytest.raises(DeviceError) as caught:
        objects.encrypt(PAIR, rsa_key_id, bytes(most + 1), OAEP)
    refused(caught, "DATA_TOO_LONG")


def spoiled(sealed: bytes) -> Iterator[bytes]:
    yield b""
    yield sealed[:-1]
    yield sealed[:-1] + bytes([sealed[-1] ^ 1])
    yield bytes(len(sealed))


def test_what_does_not_fit_the_key_is_not_decrypted(
    objects: ObjectDevice, aes_key_id: bytes, rsa_key_id: bytes
) -> None:
    for family, key_id, scheme in ((SECRET, aes_key_id, GCM), (PAIR, rsa_key_id, OAEP)):
        for wrong in spoiled(objects.encrypt(family, key_id, b"data", scheme)):
            with pytest.raises(DeviceError) as caught:
                objects.decrypt(family, key_id, wrong, scheme)
            assert (caught.value.code, caught.value.error_class) == ("CKR_ENCRYPTED_DATA_INVALID", ErrorClass.CALLER)
        assert objects.decrypt(family, key_id, objects.encrypt(family, key_id, b"data", scheme), scheme) == b"data"


def test_more_data_than_one_operation_takes(objects: ObjectDevice, aes_key_id: bytes) -> None:
    long = bytes(MAX_DATA_BYTES + 1)
    for act in acts(
        lambda: objects.encrypt(SECRET, aes_key_id, long, GCM),
        lambda: objects.decrypt(SECRET, aes_key_id, long + bytes(28), GCM),
        lambda: objects.sign_data(SECRET, aes_key_id, long, CMAC_SCHEME),
    ):
        with pytest.raises(DeviceError) as caught:
            act()
        refused(caught, "DATA_TOO_LONG")


def test_what_is_not_permitted_is_refused(objects: ObjectDevice, key_id: bytes, rsa_key_id: bytes) -> None:  # SOB-23
    objects.generate(key_id, KeySpec.AES_128, "k", frozenset())
    sealed = objects.encrypt(PAIR, rsa_key_id, b"data", OAEP)
    objects.permit(PAIR, rsa_key_id, frozenset())
    try:
        for act in acts(
            lambda: objects.encrypt(SECRET, key_id, b"data", GCM),
            lambda: objects.decrypt(SECRET, key_id, bytes(28), GCM),
            lambda: objects.sign_data(SECRET, key_id, b"data", CMAC_SCHEME),
            lambda: objects.verify_data(SECRET, key_id, b"data", bytes(16), CMAC_SCHEME),
            lambda: objects.encrypt(PAIR, rsa_key_id, b"data", OAEP),
            lambda: objects.decrypt(PAIR, rsa_key_id, sealed, OAEP),
            lambda: objects.sign_data(PAIR, rsa_key_id, DIGEST, SignatureScheme.RSA_PSS_SHA256),
            lambda: objects.verify_data(PAIR, rsa_key_id, DIGEST, bytes(256), SignatureScheme.RSA_PSS_SHA256),
        ):
            with pytest.raises(DeviceError) as caught:
                act()
            refused(caught, "OPERATION_NOT_PERMITTED")
    finally:
        objects.permit(PAIR, rsa_key_id, operations_of(KeySpec.RSA_2048))


def test_a_scheme_of_another_kind_of_key_is_refused(
    objects: ObjectDevice, key_id: bytes, aes_key_id: bytes, rsa_key_id: bytes
) -> None:
    objects.generate(key_id, KeySpec.EC_P256, "k", SIGNING)
    for act in acts(
        lambda: objects.sign_data(PAIR, key_id, DIGEST, SignatureScheme.RSA_PSS_SHA256),
        lambda: objects.sign_data(PAIR, rsa_key_id, DIGEST, ECDSA),
        lambda: objects.sign_data(PAIR, key_id, DIGEST, CMAC_SCHEME),
        lambda: objects.sign_data(PAIR, key_id, bytes(31), ECDSA),
        lambda: objects.sign_data(SECRET, aes_key_id, DIGEST, ECDSA),
        lambda: objects.verify_data(SECRET, aes_key_id, DIGEST, b"", ECDSA),
        lambda: objects.encrypt(SECRET, aes_key_id, b"", OAEP),
        lambda: objects.encrypt(PAIR, rsa_key_id, b"", GCM),
        lambda: objects.decrypt(PAIR, rsa_key_id, bytes(40), GCM),
    ):
        with pytest.raises(DeviceError) as caught:
            act()
        refused(caught, "SCHEME_MISMATCH")


def test_a_scheme_that_nobody_knows_is_refused(objects: ObjectDevice, rsa_key_id: bytes) -> None:
    for act in acts(
        lambda: objects.sign_data(PAIR, rsa_key_id, DIGEST, "rsa-pkcs1v15-md5"),
        lambda: objects.verify_data(PAIR, rsa_key_id, DIGEST, b"", "rsa-pkcs1v15-md5"),
    ):
        with pytest.raises(DeviceError) as caught:
            act()
        assert caught.value.error_class is ErrorClass.CALLER


def test_using_an_absent_key(objects: ObjectDevice, key_id: bytes) -> None:
    for act in acts(
        lambda: objects.sign_data(PAIR, key_id, DIGEST, ECDSA),
        lambda: objects.verify_data(PAIR, key_id, DIGEST, b"", ECDSA),
        lambda: objects.encrypt(SECRET, key_id, b"", GCM),
        lambda: objects.decrypt(SECRET, key_id, bytes(28), GCM),
    ):
        with pytest.raises(KeyMissingError):
            act()


def test_a_key_is_not_used_after_it_was_removed(objects: ObjectDevice, key_id: bytes) -> None:
    objects.generate(key_id, KeySpec.AES_128, "k", SEALING)
    objects.encrypt(SECRET, key_id, b"data", GCM)
    objects.remove(SECRET, key_id, None)
    with pytest.raises(KeyMissingError):
        objects.encrypt(SECRET, key_id, b"data", GCM)


def test_a_probe_names_the_token(objects: ObjectDevice) -> None:
    proved, token = objects.probe(), objects.token()
    assert (proved.label, proved.serial, proved.module) == (token.label, token.serial, token.module)
