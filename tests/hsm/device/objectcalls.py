"""What the conformance tests of an ObjectDevice ask it, and what they look at."""

import pytest

from hsm.device.base import SignatureScheme
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.objects import (
    CipherScheme,
    KeyFamily,
    MacScheme,
    ObjectDevice,
    ObjectRecord,
    Operation,
)

PAIR, SECRET = KeyFamily.KEY_PAIR, KeyFamily.SECRET_KEY
SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})
SEALING = frozenset({Operation.ENCRYPT, Operation.DECRYPT})
GCM, OAEP, CMAC_SCHEME = CipherScheme.AES_GCM, CipherScheme.RSA_OAEP_SHA1, MacScheme.AES_CMAC
ECDSA = SignatureScheme.ECDSA_SHA256
DIGEST = bytes(range(32))


def refused(error: pytest.ExceptionInfo[DeviceError], code: str) -> None:
    assert (error.value.code, error.value.error_class, error.value.outcome_unknown) == (code, ErrorClass.CALLER, False)
    assert error.value.next_step


def existing(objects: ObjectDevice, family: KeyFamily, key_id: bytes) -> ObjectRecord:
    record = objects.read(family, key_id)
    assert record is not None
    return record
