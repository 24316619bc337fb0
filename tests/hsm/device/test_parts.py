"""The small parts: circuit breaker, capabilities, public keys and signatures as X.509 wants them."""

import copy
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from hsm.device import spki
from hsm.device.base import Device, KeySpec, Pin, SignatureScheme
from hsm.device.breaker import FAILURES, PAUSE_S, Breaker
from hsm.device.capabilities import capabilities_of
from hsm.device.envelopes import SealingOpener
from hsm.device.errors import DeviceError
from hsm.device.local import LocalStore
from hsm.device.objectwire import PublicPart
from hsm.device.signer import device_private_key
from hsm.device.wire import MechanismPart

P256 = bytes.fromhex("06082a8648ce3d030107")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_call_try() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.wait_s("a") == 0
        breaker.failed("a")
    assert breaker.wait_s("a") == PAUSE_S
    assert breaker.wait_s("b") == 0
    clock.now += PAUSE_S
    assert breaker.wait_s("a") == 0
    breaker.failed("a")
    assert breaker.wait_s("a") == PAUSE_S
    clock.now += PAUSE_S
    breaker.worked("a")
    breaker.failed("a")
    assert breaker.wait_s("a") == 0


@given(st.lists(st.sampled_from(["failed", "worked", "wait"])))
def test_the_breaker_is_open_only_after_failures_in_a_row(acts: list[str]) -> None:
    clock, row = Clock(), 0
    breaker = Breaker(clock)
    for act in acts:
        if act == "wait":
            clock.now += PAUSE_S
        elif act == "worked":
            row = 0
            breaker.worked("a")
        else:
            row += 1
            breaker.failed("a")
        assert breaker.wait_s("a") == 0 or row >= FAILURES


def test_capabilities_follow_from_mechanisms_and_sizes() -> None:
    offered = [
        MechanismPart("EC_KEY_PAIR_GEN", 256, 384),
        MechanismPart("RSA_PKCS_KEY_PAIR_GEN", 1024, 0),
        MechanismPart("ECDSA", 256, 384),
        MechanismPart("0x80000001", 0, 0),
    ]
    capabilities = capabilities_of(offered)
    assert capabilities.specs == {
        KeySpec.EC_P256,
        KeySpec.EC_P384,
        KeySpec.RSA_2048,
        KeySpec.RSA_3072,
        KeySpec.RSA_4096,
    }
    assert SignatureScheme.ECDSA_SHA512 in capabilities.schemes
    assert SignatureScheme.RSA_PSS_SHA256 not in capabilities.schemes
    assert "0x80000001" in capabilities.mechanisms


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_ec_point_may_come_bare_or_in_der(wrapped: bool) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    part = PublicPart(ec_params=P256, ec_point=b"\x04\x41" + point if wrapped else point)
    assert spki.encode(part) == spki.spki_der(key)


@pytest.mark.parametrize(
    "part",
    [
        PublicPart(),
        PublicPart(ec_params=P256, ec_point=b"\x04\x41\x04" + bytes(64)),
        PublicPart(ec_params=P256, ec_point=b"\x04"),
        PublicPart(ec_params=b"\x06\x01\x01", ec_point=bytes(65)),
        PublicPart(modulus=b"\x01", exponent=b"\x03"),
    ],
)
def test_a_malformed_public_key_is_said_to_be_one(part: PublicPart) -> None:
    with pytest.raises(DeviceError) as caught:
        spki.encode(part)
    assert caught.value.code == "KEY_UNREADABLE"


@pytest.mark.parametrize("der", [b"", b"nonsense"])
def test_a_public_key_that_cannot_be_read(der: bytes) -> None:
    with pytest.raises(DeviceError):
        spki.load(der)


def test_a_public_key_of_another_kind() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(DeviceError):
        spki.load(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


@given(r=st.integers(1, 2**384 - 1), s=st.integers(1, 2**384 - 1))
def test_r_and_s_become_an_ecdsa_value(r: int, s: int) -> None:
    der = spki.x509_signature(r.to_bytes(48) + s.to_bytes(48), SignatureScheme.ECDSA_SHA384)
    assert decode_dss_signature(der) == (r, s)


# Keys of `cryptography` that live on a device


@pytest.fixture
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    path = tmp_path_factory.mktemp("store") / "pki.db"
    return LocalStore.create(path, SealingOpener(lambda: Pin(bytes(32)))).device()


def test_a_device_key_does_nothing_but_sign(device: Device, key_id: bytes) -> None:
    key = device_private_key(device, key_id, device.generate_key_pair(key_id, KeySpec.EC_P256, "k"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert (key.curve.name, key.key_size) == ("secp256r1", 256)
    refused: tuple[Callable[[], object], ...] = (
        key.private_numbers,
        lambda: key.exchange(ec.ECDH(), key.public_key()),
        lambda: key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        lambda: key.sign(b"data", ec.ECDSA(hashes.SHA224())),
    )
    for act in refused:
        with pytest.raises(DeviceError):
            act()


def test_a_device_key_takes_a_digest_too(device: Device, key_id: bytes) -> None:
    key = device_private_key(device, key_id, device.generate_key_pair(key_id, KeySpec.EC_P256, "k"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))
    key.public_key().verify(key.sign(bytes(32), algorithm), bytes(32), algorithm)


@pytest.mark.parametrize(
    "chosen",
    [
        padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
        padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH),
        padding.PSS(padding.MGF1(hashes.SHA1()), padding.PSS.DIGEST_LENGTH),  # noqa: S303 - refused
    ],
)
def test_a_padding_that_no_scheme_stands_for_is_refused(
    device: Device, key_id: bytes, chosen: padding.AsymmetricPadding
) -> None:
    key = device_private_key(device, key_id, device.generate_key_pair(key_id, KeySpec.RSA_2048, "k"))
    assert isinstance(key, rsa.RSAPrivateKey)
    with pytest.raises(DeviceError) as caught:
        key.sign(b"data", chosen, hashes.SHA256())
    assert caught.value.code == "SCHEME_MISMATCH"


def test_a_signature_of_another_key_is_never_returned(device: Device, key_id: bytes) -> None:
    device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    other = spki.spki_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    key = device_private_key(device, key_id, other)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    with pytest.raises(DeviceError) as caught:
        key.sign(b"data", ec.ECDSA(hashes.SHA256()))
    assert caught.value.code == "SIGNATURE_WRONG"
