"""Using keys of a token: for the module host only.

Only mechanisms that work everywhere: the hash is made by the caller (docs/hsm.md §3), and the IV of AES-GCM by us.
"""

import ctypes
import secrets
from dataclasses import dataclass, field
from typing import Any

from pkcs11 import Mechanism as M  # noqa: N817 - in tables

from hsm.device import spki
from hsm.device.base import SignatureScheme
from hsm.device.faults import ModuleFaultError
from hsm.device.limits import OAEP_SURPLUS_BYTES
from hsm.device.objects import CipherScheme, KeyFamily, MacScheme, Operation
from hsm.device.objectwire import PublicPart, UseKey
from hsm.device.p11calls import ULONG, Mechanism
from hsm.device.p11describe import Half
from hsm.device.p11session import ObjectSession

IV_BYTES, TAG_BYTES = 12, 16
ROOM = 8192  # for any result: 4 KiB of data, or a block of RSA with 16,384 bits
# DigestInfo up to the digest, RFC 8017 §9.2 note 1
DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
}
SHA_1, MGF1_SHA1, MGF1_SHA256, DATA_SPECIFIED = M.SHA_1, 1, 2, 1
FUNCTIONS = {
    Operation.SIGN: "C_Sign",
    Operation.VERIFY: "C_Verify",
    Operation.ENCRYPT: "C_Encrypt",
    Operation.DECRYPT: "C_Decrypt",
}
BAD_SIGNATURES = frozenset({"CKR_SIGNATURE_INVALID", "CKR_SIGNATURE_LEN_RANGE"})
BAD_CIPHERTEXTS = frozenset(
    {"CKR_ENCRYPTED_DATA_INVALID", "CKR_ENCRYPTED_DATA_LEN_RANGE", "CKR_AEAD_DECRYPT_FAILED", "CKR_DATA_INVALID"}
)
# What a module may say instead, SoftHSM2 among them: also words for a device that fails.
VAGUE = frozenset({"CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED", "CKR_ARGUMENTS_BAD", "CKR_DATA_LEN_RANGE"})


class GcmParameters(ctypes.Structure):
    """CK_GCM_PARAMS (v2.40 §2.12.2)."""

    _fields_ = [
        ("iv", ctypes.c_char_p),
        ("iv_length", ULONG),
        ("iv_bits", ULONG),
        ("aad", ctypes.c_void_p),
        ("aad_length", ULONG),
        ("tag_bits", ULONG),
    ]


class OaepParameters(ctypes.Structure):
    """CK_RSA_PKCS_OAEP_PARAMS (v2.40 §2.1.7)."""

    _fields_ = [
        ("hash", ULONG),
        ("mgf", ULONG),
        ("source", ULONG),
        ("data", ctypes.c_void_p),
        ("data_length", ULONG),
    ]


class PssParameters(ctypes.Structure):
    """CK_RSA_PKCS_PSS_PARAMS (v2.40 §2.1.9)."""

    _fields_ = [("hash", ULONG), ("mgf", ULONG), ("salt_length", ULONG)]


@dataclass(frozen=True)
class Recipe:
    """How a scheme is carried out: the mechanism, the key that it needs, and what surrounds the data."""

    mechanism: int
    key_type: str
    parameters: Any = None
    data: bytes = field(default=b"", repr=False)
    before_result: bytes = b""

    def as_c(self) -> Mechanism:
        """Return CK_MECHANISM; `parameters` must outlive it."""
        if self.parameters is None:
            return Mechanism(self.mechanism, None, 0)
        return Mechanism(self.mechanism, ctypes.addressof(self.parameters), ctypes.sizeof(self.parameters))


def use(session: ObjectSession, asked: UseKey) -> bytes:
    """Carry out one operation and return its result; for verifying, one byte: 1 or 0."""
    operation = Operation(asked.operation)
    secret = KeyFamily(asked.family) is KeyFamily.SECRET_KEY
    public = not secret and operation in (Operation.VERIFY, Operation.ENCRYPT)
    try:
        half = session.for_use(asked.family, asked.key_id, public=public)
        recipe = _recipe(operation, asked)
        _check_fits(half, recipe)
        if operation is Operation.VERIFY:
            return _verified(session, half, recipe, asked.signature)
        return recipe.before_result + _carry_out(session, operation, half, recipe)
    except ModuleFaultError as fault:
        session.drop()  # an operation that failed may stay open in the session
        raise _plain(fault) from fault


def _check_fits(half: Half, recipe: Recipe) -> None:
    if half.key_type != recipe.key_type:
        raise ModuleFaultError("SCHEME_MISMATCH")
    if recipe.mechanism == M.RSA_PKCS_OAEP and half.is_public and half.public is not None:
        modulus_bytes = len(half.public.modulus.lstrip(b"\0"))
        if len(recipe.data) > modulus_bytes - OAEP_SURPLUS_BYTES:
            raise ModuleFaultError("DATA_TOO_LONG")


def _verified(session: ObjectSession, half: Half, recipe: Recipe, signature: bytes) -> bytes:
    """Return whether the signature fits; ECDSA-Sig-Value becomes r and s, and what is none fits no data."""
    _begin(session, Operation.VERIFY, half, recipe)
    if half.key_type == "EC":
        raw = spki.raw_signature(signature, spki.bits_of(half.public or PublicPart()) or 0)
        if raw is None:
            session.drop()  # the operation was begun only to see that it is permitted
            return b"\0"
        signature = raw
    try:
        session.calls.call("C_Verify", session.handle, recipe.data, len(recipe.data), signature, len(signature))
    except ModuleFaultError as fault:
        if fault.code not in BAD_SIGNATURES:
            raise
        return b"\0"
    return b"\1"


def _begin(session: ObjectSession, operation: Operation, half: Half, recipe: Recipe) -> None:
    mechanism = recipe.as_c()
    session.calls.call(f"{FUNCTIONS[operation]}Init", session.handle, ctypes.byref(mechanism), half.handle)


def _carry_out(session: ObjectSession, operation: Operation, half: Half, recipe: Recipe) -> bytes:
    _begin(session, operation, half, recipe)
    try:
        return session.calls.transform(FUNCTIONS[operation], session.handle, recipe.data, ROOM)
    except ModuleFaultError as fault:
        if operation is Operation.DECRYPT and _is_the_data(session, fault):
            raise ModuleFaultError("CKR_ENCRYPTED_DATA_INVALID") from fault
        raise


def _is_the_data(session: ObjectSession, fault: ModuleFaultError) -> bool:
    """Say whether the ciphertext is to blame; after a vague answer, a token that goes on serving is not."""
    if fault.code in BAD_CIPHERTEXTS:
        return True
    if fault.code not in VAGUE:
        return False
    try:
        session.module.token_now()
        session.prove(session.module.slot_id)
    except ModuleFaultError:
        return False
    return True


def _recipe(operation: Operation, asked: UseKey) -> Recipe:
    if operation in (Operation.SIGN, Operation.VERIFY):
        return _signing(asked.scheme, asked.data)
    if CipherScheme(asked.scheme) is CipherScheme.RSA_OAEP_SHA1:
        oaep = OaepParameters(SHA_1, MGF1_SHA1, DATA_SPECIFIED, None, 0)
        return Recipe(M.RSA_PKCS_OAEP, "RSA", oaep, asked.data)
    encrypting = operation is Operation.ENCRYPT
    iv = secrets.token_bytes(IV_BYTES) if encrypting else asked.data[:IV_BYTES]
    gcm = GcmParameters(iv, IV_BYTES, 8 * IV_BYTES, None, 0, 8 * TAG_BYTES)
    data = asked.data if encrypting else asked.data[IV_BYTES:]
    return Recipe(M.AES_GCM, "AES", gcm, data, before_result=iv if encrypting else b"")


def _signing(scheme_name: str, data: bytes) -> Recipe:
    if scheme_name == MacScheme.AES_CMAC:
        return Recipe(M.AES_CMAC, "AES", None, data)
    scheme = SignatureScheme(scheme_name)
    if scheme.is_ec:
        return Recipe(M.ECDSA, "EC", None, data)
    if scheme is SignatureScheme.RSA_PSS_SHA256:
        return Recipe(M.RSA_PKCS_PSS, "RSA", PssParameters(M.SHA256, MGF1_SHA256, scheme.digest_bytes), data)
    return Recipe(M.RSA_PKCS, "RSA", None, DIGEST_INFO[scheme.hash_name] + data)


def _plain(fault: ModuleFaultError) -> ModuleFaultError:
    """Say what modules mean in one way."""
    if fault.code == "CKR_KEY_FUNCTION_NOT_PERMITTED":
        return ModuleFaultError("OPERATION_NOT_PERMITTED")
    return fault
