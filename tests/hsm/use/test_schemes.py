"""Which schemes a kind of key has, and how long their input may be."""

import pytest

from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.objects import MAX_DATA_BYTES, CipherScheme, MacScheme, Operation, operations_of
from hsm.use.schemes import CIPHERING, OFFERED, SIGNING, Bounds, bounds, schemes


@pytest.mark.parametrize("spec", KeySpec)
@pytest.mark.parametrize("operation", Operation)
def test_schemes_exist_where_the_key_can_be_permitted_and_nowhere_else(spec: KeySpec, operation: Operation) -> None:
    found = schemes(spec, operation)
    assert bool(found) is (operation in operations_of(spec) and operation in OFFERED)
    assert len({scheme.label for scheme in found}) == len(found)
    for scheme in found:
        assert scheme.value in {*SignatureScheme, *MacScheme, *CipherScheme}
        assert scheme.hash_name == (
            SignatureScheme(scheme.value).hash_name if scheme.value in {*SignatureScheme} else ""
        )


@pytest.mark.parametrize(("spec", "first"), [("ec-p256", "sha256"), ("ec-p384", "sha384"), ("ec-p521", "sha512")])
def test_the_hash_as_strong_as_the_curve_comes_first(spec: str, first: str) -> None:
    found = schemes(KeySpec(spec), Operation.SIGN)
    assert found[0].hash_name == first
    assert {scheme.hash_name for scheme in found} == {"sha256", "sha384", "sha512"}


@pytest.mark.parametrize(
    ("spec", "operation", "expected"),
    [
        (KeySpec.EC_P256, Operation.SIGN, Bounds(1, MAX_DATA_BYTES)),
        (KeySpec.AES_256, Operation.VERIFY, Bounds(1, MAX_DATA_BYTES)),
        (KeySpec.AES_128, Operation.ENCRYPT, Bounds(1, MAX_DATA_BYTES)),
        (KeySpec.AES_128, Operation.DECRYPT, Bounds(28, MAX_DATA_BYTES + 28)),
        # RFC 8017 §7.1.1 with SHA-1: the modulus less 42 bytes
        (KeySpec.RSA_2048, Operation.ENCRYPT, Bounds(1, 214)),
        (KeySpec.RSA_4096, Operation.ENCRYPT, Bounds(1, 470)),
        (KeySpec.RSA_3072, Operation.DECRYPT, Bounds(384, 384)),
    ],
)
def test_how_long_the_input_may_be(spec: KeySpec, operation: Operation, expected: Bounds) -> None:
    assert bounds(spec, operation, schemes(spec, operation)[0]) == expected


def test_what_was_encrypted_may_be_decrypted() -> None:
    """The longest output of an encryption fits the input of its decryption."""
    for spec in KeySpec:
        for scheme in schemes(spec, Operation.ENCRYPT):
            longest = bounds(spec, Operation.ENCRYPT, scheme).most
            made = longest + 28 if scheme.value == CipherScheme.AES_GCM else spec.bits // 8
            assert made <= bounds(spec, Operation.DECRYPT, scheme).most
    assert not SIGNING & CIPHERING
