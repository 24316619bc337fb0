"""Tokens as other programs leave them: keys without an ID, with the same ID, in halves, and what is no key at all."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.device import spki
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.objects import CipherScheme, KeyFamily, Listing, Operation
from hsm.device.opening import open_token
from hsm.device.token import TokenDevice
from tests.hsm.device import foreign
from tests.hsm.device.test_conformance import NAME, NOW
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm

pytestmark = pytest.mark.usefixtures("fresh_hosts")

PAIR, SECRET = KeyFamily.KEY_PAIR, KeyFamily.SECRET_KEY
SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})


@pytest.fixture
def token(farm: TokenFarm) -> Token:
    return farm.make("alpha")


def opened(farm: TokenFarm, token: Token) -> AbstractContextManager[TokenDevice]:
    return open_token(
        SOFTHSM,
        label=token.label,
        serial=token.serial,
        pin=Pin(token.pin),
        pin_version="1",
        environment=farm.environment,
    )


@pytest.fixture
def device(farm: TokenFarm, token: Token) -> Iterator[TokenDevice]:
    with opened(farm, token) as device:
        yield device


def reasons(listing: Listing) -> list[tuple[str, bytes, str, str]]:
    return [(item.object_class, item.key_id, item.label, item.reason) for item in listing.unmatched]


def test_a_key_pair_of_pkcs11_tool(farm: TokenFarm, token: Token, device: TokenDevice) -> None:  # SOB-08
    farm.tool(
        "--token-label", token.label, "--login", "--pin", token.pin,
        "--keypairgen", "--key-type", "EC:prime256v1", "--id", "0a", "--label", "by hand", "--usage-sign",
    )  # fmt: skip
    (record,) = device.read_all().objects
    assert (record.key_id, record.label, record.spec) == (b"\x0a", "by hand", KeySpec.EC_P256)
    assert record.operations >= SIGNING
    assert record == device.read(PAIR, b"\x0a")
    signature = device.sign_data(PAIR, b"\x0a", bytes(32), SignatureScheme.ECDSA_SHA256)
    public = spki.load(record.spki_der or b"")
    assert spki.verifies(public, signature, bytes(32), SignatureScheme.ECDSA_SHA256)


def test_pkcs11_tool_sees_what_was_asked_for(farm: TokenFarm, token: Token, device: TokenDevice) -> None:  # POL-06
    device.generate(b"p" * 16, KeySpec.EC_P256, "pair", SIGNING)
    device.generate(b"s" * 16, KeySpec.AES_256, "secret", frozenset({Operation.ENCRYPT, Operation.WRAP}))
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    device.import_key(b"i" * 16, KeySpec.EC_P256, "imported", frozenset({Operation.DERIVE}), Pin(der))
    shown = farm.tool("--token-label", token.label, "--login", "--pin", token.pin, "-O")
    objects = {}
    for text in shown.replace("\nPrivate", "\n\nPrivate").replace("\nPublic", "\n\nPublic").split("\n\n"):
        for part in text.split("\nSecret"):
            lines = dict(line.strip().split(":", 1) for line in part.splitlines() if line.startswith("  "))
            kind = "private" if "Private Key" in part else "public" if "Public Key" in part else "secret"
            objects[kind, lines["label"].strip()] = lines
    expected = {
        ("private", "pair"): ("sign", "sensitive, always sensitive, never extractable, local"),
        ("public", "pair"): ("verify", "local"),
        ("secret", "secret"): ("encrypt, wrap", "sensitive, always sensitive, never extractable, local"),
        ("private", "imported"): ("derive", "sensitive"),
        ("public", "imported"): ("none", "none"),
    }
    seen = {name: (lines["Usage"].strip(), lines["Access"].strip()) for name, lines in objects.items()}
    assert seen == expected
    assert objects["private", "pair"]["ID"].strip() == (b"p" * 16).hex()


def test_two_keys_with_one_id_are_reported_and_never_touched(
    farm: TokenFarm, token: Token, device: TokenDevice
) -> None:  # AMB-39
    foreign.create(
        farm, token, foreign.secret(b"twin", LABEL="one", ENCRYPT=True), foreign.secret(b"twin", LABEL="two")
    )
    foreign.create(farm, token, foreign.private(b"single"), foreign.public(b"single"))
    listing = device.read_all()
    assert [(record.family, record.key_id) for record in listing.objects] == [(PAIR, b"single")]
    why = "2 objects share its CKA_ID."
    assert reasons(listing) == [("CKO_SECRET_KEY", b"twin", "one", why), ("CKO_SECRET_KEY", b"twin", "two", why)]
    for act in (
        lambda: device.read(SECRET, b"twin"),
        lambda: device.remove(SECRET, b"twin", None),
        lambda: device.permit(SECRET, b"twin", SIGNING),
        lambda: device.encrypt(SECRET, b"twin", b"data", CipherScheme.AES_GCM),
    ):
        with pytest.raises(DeviceError) as caught:
            act()
        assert (caught.value.code, caught.value.error_class) == ("KEY_AMBIGUOUS", ErrorClass.OPERATOR)
    assert device.read_all(listing.digest).unchanged
    assert device.read(PAIR, b"twin") is None


def test_an_id_that_is_empty_or_too_long_addresses_nothing(farm: TokenFarm, token: Token, device: TokenDevice) -> None:
    foreign.create(
        farm,
        token,
        foreign.secret(b"", LABEL="nameless"),
        foreign.private(b"", LABEL="nameless too"),
        foreign.secret(b"x" * 300, LABEL="long"),
    )
    listing = device.read_all()
    assert listing.objects == []
    assert reasons(listing) == [
        ("CKO_PRIVATE_KEY", b"", "nameless too", "Its CKA_ID is empty."),
        ("CKO_SECRET_KEY", b"", "nameless", "Its CKA_ID is empty."),
        ("CKO_SECRET_KEY", b"x" * 255, "long", "Its CKA_ID is longer than 255 bytes."),
    ]


def test_labels_of_all_kinds(farm: TokenFarm, token: Token, device: TokenDevice) -> None:
    foreign.create(
        farm,
        token,
        foreign.secret(b"1"),
        foreign.secret(b"2", LABEL=b"\xff\x00bin"),
        foreign.secret(b"3", LABEL="é" * 300),
        foreign.secret(b"4", LABEL="same"),
        foreign.secret(b"5", LABEL="same"),
    )
    assert [record.label for record in device.read_all().objects] == ["", "\\xff\x00bin", "é" * 300, "same", "same"]


def test_halves(farm: TokenFarm, token: Token, device: TokenDevice) -> None:
    foreign.create(
        farm, token, foreign.private(b"private", SIGN=True), foreign.public(b"public"), foreign.public(b"pair")
    )
    foreign.create(farm, token, foreign.private(b"pair"))
    listing = device.read_all()
    halves = {record.key_id: (record.has_private, record.has_public, record.bits) for record in listing.objects}
    assert halves == {b"private": (True, False, 256), b"public": (False, True, 256), b"pair": (True, True, 256)}
    assert reasons(listing) == []
    alone = device.read(PAIR, b"private")
    assert alone is not None
    assert (alone.spki_der, alone.spec) == (None, KeySpec.EC_P256)
    assert device.sign_data(PAIR, b"private", bytes(32), SignatureScheme.ECDSA_SHA256)
    with pytest.raises(DeviceError) as caught:
        device.verify_data(PAIR, b"private", bytes(32), b"", SignatureScheme.ECDSA_SHA256)
    assert caught.value.code == "KEY_MISSING"
    device.remove(PAIR, b"private", b"its public value, which the token does not show")
    assert device.read(PAIR, b"private") is None


def test_what_is_no_key(farm: TokenFarm, token: Token, device: TokenDevice) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW).not_valid_after(NOW)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    foreign.create(
        farm,
        token,
        foreign.certificate(b"alone", der, "lost"),
        foreign.certificate(b"with key", der, "found"),
        foreign.private(b"with key"),
        foreign.data("one"),
        foreign.data("two"),
    )
    listing = device.read_all()
    assert [record.key_id for record in listing.objects] == [b"with key"]
    assert reasons(listing) == [
        ("CKO_CERTIFICATE", b"alone", "lost", "It is a certificate without a key."),
        ("CKO_DATA", b"", "", "2 objects that are no keys."),
    ]


def test_a_key_that_cannot_be_modified_keeps_its_permissions(
    farm: TokenFarm, token: Token, device: TokenDevice
) -> None:  # POL-13
    foreign.create(farm, token, foreign.secret(b"fixed", ENCRYPT=True, SIGN=False, VERIFY=False, MODIFIABLE=False))
    before = device.read(SECRET, b"fixed")
    assert before is not None
    assert before.modifiable is False
    with pytest.raises(DeviceError) as caught:
        device.permit(SECRET, b"fixed", SIGNING)
    assert caught.value.code in ("CKR_ATTRIBUTE_READ_ONLY", "CKR_ACTION_PROHIBITED")
    assert not caught.value.outcome_unknown
    assert device.read(SECRET, b"fixed") == before


def test_a_change_that_one_half_refuses_is_taken_back_on_the_other(
    farm: TokenFarm, token: Token, device: TokenDevice
) -> None:
    foreign.create(
        farm,
        token,
        foreign.public(b"mixed", VERIFY=True),
        foreign.private(b"mixed", SIGN=True, DERIVE=False, MODIFIABLE=False),
    )
    before = device.read(PAIR, b"mixed")
    with pytest.raises(DeviceError) as caught:
        device.permit(PAIR, b"mixed", frozenset({Operation.DERIVE}))
    assert not caught.value.outcome_unknown
    assert device.read(PAIR, b"mixed") == before


def test_a_key_changed_by_others_is_seen_as_it_is_now(
    farm: TokenFarm, token: Token, device: TokenDevice
) -> None:  # POL-07
    made = device.generate(b"k" * 16, KeySpec.AES_128, "k", SIGNING)
    digest = device.read_all().digest
    with opened(farm, token) as other:
        other.permit(SECRET, made.key_id, frozenset(SIGNING | {Operation.ENCRYPT}))
    listing = device.read_all(digest)
    assert not listing.unchanged
    assert listing.objects[0].operations == SIGNING | {Operation.ENCRYPT}


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1()], ids=lambda curve: str(curve.name))
def test_a_curve_that_the_console_does_not_make(
    farm: TokenFarm, token: Token, device: TokenDevice, curve: ec.EllipticCurve
) -> None:
    names = {"secp256k1": "EC:secp256k1", "secp224r1": "EC:secp224r1"}
    farm.tool(
        "--token-label", token.label, "--login", "--pin", token.pin,
        "--keypairgen", "--key-type", names[curve.name], "--id", "0b", "--label", "other",
    )  # fmt: skip
    (record,) = device.read_all().objects
    assert (record.key_type, record.bits, record.spec) == ("EC", curve.key_size, None)
    assert record.spki_der is not None
    loaded = serialization.load_der_public_key(record.spki_der)
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    assert loaded.curve.name == curve.name
