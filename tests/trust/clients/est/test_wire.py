"""The parsers of what comes from outside: whatever the bytes, a request or a refusal, never anything else."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import InvalidError
from tests.trust.clients.est.requesting import basic, certificates, csr, new_key, proven, spki
from trust.clients import nonce
from trust.clients.credentials_check import NOBODY
from trust.clients.est import auth, wire
from trust.wire import proof
from trust.wire.errors import WireError

NAME = "pc1.example.com"
KEY = new_key()
GOOD = csr(NAME, KEY, hosts=[NAME])
PROVEN = proven(NAME, KEY, new_key(), b"n" * 56)


def read(der: bytes) -> wire.CertificateRequest | None:
    """Return what is read, or None for what is refused as it should be."""
    try:
        return wire.read_request(base64.b64encode(der))
    except (WireError, InvalidError):
        return None


def test_a_request_says_its_name_its_key_and_its_proof() -> None:
    found = wire.read_request(base64.b64encode(GOOD))
    assert (found.name, found.spki_der, found.proof, found.der) == (NAME, spki(KEY), None, GOOD)
    shown = wire.read_request(base64.b64encode(PROVEN)).proof
    assert shown is not None
    assert shown.nonce == b"n" * 56
    assert wire.read_request(base64.b64encode(csr("PC1.Example.COM"))).name == NAME
    strong = csr(NAME, rsa.generate_private_key(65537, 3072))
    assert wire.read_request(base64.b64encode(strong)).name == NAME


def test_a_capital_of_another_script_is_no_letter_of_a_name() -> None:
    kelvin = "\N{KELVIN SIGN}"
    assert kelvin.lower() == "k"
    for hosts in ((), ("pck.example.com",)):
        with pytest.raises(WireError, match=r"host name|two different hosts"):
            wire.read_request(base64.b64encode(csr(f"pc{kelvin}.example.com", hosts=hosts)))


def test_a_long_name_stands_in_subject_alt_name() -> None:
    name = ".".join(["a" * 40, "b" * 40, "example"])
    from keys.names import common_name

    assert wire.read_request(base64.b64encode(csr(common_name(name), hosts=[name]))).name == name


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    assert read(raw) is None
    with pytest.raises((WireError, InvalidError)):
        wire.read_request(raw)


@settings(max_examples=500)
@given(
    good=st.sampled_from([GOOD, PROVEN]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 40),
)
def test_a_request_with_bytes_changed_or_cut(good: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    changed = bytearray(good)
    for at, value in changes:
        changed[at % len(changed)] = value
    der = bytes(changed[: len(changed) - cut])
    found = read(der)
    # Its signature covers all of it but the signature itself, whose spelling is strict.
    assert (found is not None) == (der == good)


@settings(max_examples=200)
@given(st.text(max_size=80))
def test_any_header(header: str) -> None:
    found = auth.presented(header)
    assert found is None or not header.lower().startswith("basic ") or found.id is not None
    assert auth.presented(f"Basic {header}") is not None


def test_a_proof_that_is_no_utf_8() -> None:
    # Found by ./run fuzz: the JSON decoder raises an error of its own for it.
    for text in (b'{"nonce":"\xf9"}', b'"\xf9"'):
        with pytest.raises(WireError, match="cannot be read"):
            proof.decode(base64.b64encode(text))


def test_a_name_of_bits_is_refused_in_words() -> None:
    # Found by ./run fuzz: `cryptography` has a TypeError for it, once the subject is read.
    text, bits = (tag + bytes([len(NAME)]) + NAME.encode() for tag in (b"\x0c", b"\x03"))
    assert GOOD.count(text) == 1
    with pytest.raises(WireError, match="not a certificate request"):
        wire.read_request(base64.b64encode(GOOD.replace(text, bits)))


def test_basic() -> None:
    found = auth.presented(basic("5b2f0b0e-6d1e-4b9b-9a55-0c7e3c7a7a11", "a:b"))
    assert found is not None
    assert (str(found.id), found.secret) == ("5b2f0b0e-6d1e-4b9b-9a55-0c7e3c7a7a11", "a:b")
    assert "a:b" not in repr(found)
    assert auth.presented(None) is None
    assert auth.presented("Bearer x") is None
    unknown = auth.presented("Basic ====")
    assert unknown is not None
    assert unknown.id == NOBODY


@given(st.binary(max_size=80))
def test_a_nonce_of_ones_own_making_is_none(raw: bytes) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert not nonce.is_fresh(b"key", raw, now)
    made = nonce.make(b"key", now)
    assert nonce.is_fresh(b"key", made, now + nonce.VALID)
    assert not nonce.is_fresh(b"key", made, now + nonce.VALID + timedelta(seconds=1))
    assert not nonce.is_fresh(b"key", made, now - nonce.AHEAD - timedelta(seconds=1))
    assert not nonce.is_fresh(b"another key", made, now)


def test_an_answer_is_one_line() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    from tests.fixtures.certificates import self_signed

    made = [self_signed(f"pc{number}.example.com").certificate for number in range(3)]
    answer = wire.certs_only(*(certificate.public_bytes(Encoding.DER) for certificate in made))
    assert set(certificates(answer)) == set(made)  # a SET OF has an order of its own (X.690 §11.6)
