"""What may be imported, in every form, and why the rest is refused."""

import base64
from collections.abc import Callable
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from console.lib.secret import Secret
from hsm.device.base import KeySpec
from hsm.objects import material
from hsm.objects.errors import MaterialError
from hsm.objects.offer import FIELDS, Spelling
from tests.hsm.objects import samples
from tests.hsm.objects.samples import AES_KEY, PASSPHRASE, ec_key, rsa_key, written

DER, PEM = Encoding.DER, Encoding.PEM
TRADITIONAL = PrivateFormat.TraditionalOpenSSL


def read(
    spec: KeySpec, value: bytes, spelling: Spelling = Spelling.RAW, passphrase: bytes | None = None
) -> material.Material:
    return material.read(spec, Secret(value), spelling=spelling, passphrase=Secret(passphrase) if passphrase else None)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, TRADITIONAL])
@pytest.mark.parametrize("encoding", [PEM, DER])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_pairs_in_every_form(kind: str, encoding: Encoding, form: PrivateFormat) -> None:
    """SOB-19."""
    key, spec = (ec_key(), KeySpec.EC_P256) if kind == "ec" else (rsa_key(), KeySpec.RSA_2048)
    found = read(spec, written(key, encoding, form))
    assert load_der_private_key(found.secret.reveal_bytes(), None).public_key() == key.public_key()
    assert found.spki_der


@pytest.mark.parametrize("encoding", [PEM, DER])
def test_encrypted_pkcs8(encoding: Encoding) -> None:
    found = read(KeySpec.EC_P256, written(ec_key(), encoding, passphrase=PASSPHRASE), passphrase=PASSPHRASE)
    assert load_der_private_key(found.secret.reveal_bytes(), None).public_key() == ec_key().public_key()


def test_parameters_before_the_key() -> None:
    """`openssl ecparam -genkey` writes both into one file."""
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert read(KeySpec.EC_P256, parameters + written(ec_key(), form=TRADITIONAL)).spki_der


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        (Spelling.RAW, AES_KEY),
        (Spelling.HEX, AES_KEY.hex().encode()),
        (Spelling.HEX, b"0x" + AES_KEY.hex(":").upper().encode() + b"\n"),
        (Spelling.BASE64, base64.encodebytes(AES_KEY)),
    ],
)
def test_secret_keys(spelling: Spelling, value: bytes) -> None:
    found = read(KeySpec.AES_256, value, spelling)
    assert found.secret == Secret(AES_KEY)
    assert found.spki_der is None


def test_a_wrong_passphrase_that_leaves_a_right_padding_is_blamed_all_the_same() -> None:
    locked = written(ec_key(), passphrase=PASSPHRASE)

    def said_of(passphrase: bytes) -> str:
        with pytest.raises(ValueError) as caught:
            load_pem_private_key(locked, passphrase)
        return str(caught.value)

    wrong = next(one for one in (b"wrong %d" % n for n in count()) if "password" not in said_of(one))
    with pytest.raises(MaterialError) as caught:
        read(KeySpec.EC_P256, locked, passphrase=wrong)
    assert caught.value.code == "passphrase-wrong"
    with pytest.raises(MaterialError) as caught:
        read(KeySpec.EC_P256, locked[:150], passphrase=PASSPHRASE)
    assert caught.value.code == "not-readable"


# Made when they are needed: the keys take time.
BAD: list[tuple[str, KeySpec, Callable[[], bytes], bytes | None]] = [
    ("passphrase-wrong", KeySpec.EC_P256, lambda: written(ec_key(), passphrase=PASSPHRASE), b"wrong"),
    ("passphrase-wrong", KeySpec.EC_P256, lambda: written(ec_key(), DER, passphrase=PASSPHRASE), b"wrong"),
    ("passphrase-missing", KeySpec.EC_P256, lambda: written(ec_key(), passphrase=PASSPHRASE), None),
    ("passphrase-not-needed", KeySpec.EC_P256, lambda: written(ec_key()), PASSPHRASE),
    ("not-readable", KeySpec.EC_P256, lambda: written(ec_key())[:120], None),
    ("not-readable", KeySpec.EC_P256, lambda: written(ec_key(), DER)[:60], None),
    ("not-readable", KeySpec.EC_P256, lambda: written(ec_key(), DER) + b"\0", None),
    ("not-readable", KeySpec.EC_P256, lambda: b"\0" * 40, None),
    ("not-readable", KeySpec.EC_P256, lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", None),
    ("not-readable", KeySpec.EC_P256, lambda: written(ec_key(), form=PrivateFormat.OpenSSH), None),
    ("not-consistent", KeySpec.EC_P256, samples.with_a_point_off_the_curve, None),
    ("not-consistent", KeySpec.EC_P256, samples.with_the_point_of_another, None),
    ("not-consistent", KeySpec.RSA_2048, samples.with_even_exponent, None),
    ("rsa-size", KeySpec.RSA_2048, lambda: written(rsa_key(1024)), None),
    ("rsa-exponent", KeySpec.RSA_2048, lambda: written(rsa_key(2048, 3)), None),
    ("curve", KeySpec.EC_P256, lambda: written(ec.generate_private_key(ec.SECP256K1())), None),
    ("wrong-kind", KeySpec.EC_P384, lambda: written(ec_key()), None),
    ("wrong-kind", KeySpec.RSA_2048, lambda: written(ec_key()), None),
    ("wrong-kind", KeySpec.EC_P256, lambda: written(ed25519.Ed25519PrivateKey.generate()), None),
]


@pytest.mark.parametrize(
    ("code", "spec", "value", "passphrase"), BAD, ids=[f"{n}-{bad[0]}" for n, bad in enumerate(BAD)]
)
def test_bad_pairs(code: str, spec: KeySpec, value: Callable[[], bytes], passphrase: bytes | None) -> None:
    with pytest.raises(MaterialError) as caught:
        read(spec, value(), passphrase=passphrase)
    error = caught.value
    assert error.code == code
    assert error.field == FIELDS[code]
    assert "Nothing was imported" in error.message
    assert error.next_step
    assert error.__suppress_context__ or error.__context__ is None, (
        "a traceback would carry the library's error with it"
    )


@pytest.mark.parametrize(
    ("code", "spelling", "value"),
    [
        ("wrong-length", Spelling.HEX, AES_KEY[:16].hex().encode()),
        ("wrong-length", Spelling.RAW, AES_KEY[:31]),
        ("wrong-length", Spelling.BASE64, base64.b64encode(AES_KEY + b"x")),
        # Text is never taken for raw bytes of the same length: that key would have half its strength.
        ("wrong-length", Spelling.RAW, AES_KEY.hex().encode()),
        ("not-readable", Spelling.HEX, b"not hex"),
        ("not-readable", Spelling.BASE64, b"%%%%"),
        ("weak-key", Spelling.HEX, b"00" * 32),
    ],
)
def test_bad_secret_keys(code: str, spelling: Spelling, value: bytes) -> None:
    """SOB-19: wrong length for the type refused."""
    with pytest.raises(MaterialError) as caught:
        read(KeySpec.AES_256, value, spelling)
    assert caught.value.code == code
    assert caught.value.field == "value"
