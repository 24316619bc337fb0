"""A device behind an HSM gateway (docs/gateway-protocol.md). For the worker only: it needs the PIN.

device = GatewayDevice(address, pin, pin_version="3", deadline_s=20)
signature = device.sign_data(KeyFamily.KEY_PAIR, key_id, digest, "ecdsa-sha256")

Every call is one request on a connection that is kept, and ends at its deadline; a listing is one request for each of
its pages. Nothing has to be opened or closed.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hsm.device import gatewaywire as wire
from hsm.device import limits, spki
from hsm.device.base import (
    MIN_KEY_ID_BYTES,
    Capabilities,
    KeyRecord,
    KeySpec,
    SecretLike,
    SignatureScheme,
    TestLine,
    TokenInfo,
)
from hsm.device.codes import check_any_key_id, check_key_id, error_for
from hsm.device.errors import DeviceError
from hsm.device.gatewaycalls import GatewayAddress, GatewayCalls
from hsm.device.gatewaylisting import read_listing
from hsm.device.material import check as check_material
from hsm.device.objects import CipherScheme, KeyFamily, Listing, ObjectRecord, Operation

DEADLINE_S = 20.0
PAIR_OPERATIONS = frozenset({Operation.SIGN, Operation.VERIFY})  # of a key pair made through `Device`


@dataclass(frozen=True)
class TestReport:
    """What a test of a connection found. `is_open`: the gateway asks nobody for a client certificate."""

    __test__ = False  # the name is not for pytest

    token: TokenInfo
    latency_ms: float
    is_open: bool


def test(
    address: GatewayAddress,
    pin: SecretLike,
    pin_version: str,
    *,
    deadline_s: float = DEADLINE_S,  # noqa: PT028 - no test function
) -> TestReport:
    """Log in through a connection, once, and say what is there. Raises DeviceError with the class of fault.

    The time is that of a probe on the connection then kept, which is what an operation will see.
    """
    calls = GatewayCalls(address, pin, pin_version, deadline_s)
    calls.ask("token", wire.Token, wire.TokenAnswer)
    began = time.monotonic()
    answer = calls.ask("probe", wire.Probe, wire.TokenAnswer)
    return TestReport(wire.token_info(answer.token), (time.monotonic() - began) * 1000, answer.is_open)


test.__test__ = False  # type: ignore[attr-defined]


class GatewayDevice:
    """Implements `ObjectDevice` and `SelfTesting`. May be used by several threads.

    `is_open` says whether the gateway asks nobody for a client certificate; None before it was asked anything.
    """

    def __init__(
        self, address: GatewayAddress, pin: SecretLike, pin_version: str, deadline_s: float = DEADLINE_S
    ) -> None:
        self.is_open: bool | None = None
        self._calls = GatewayCalls(address, pin, pin_version, deadline_s)

    # The Device port

    def token(self) -> TokenInfo:
        """Log in, and return the token."""
        return self._token(self._calls.ask("token", wire.Token, wire.TokenAnswer))

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair that signs, and return its SubjectPublicKeyInfo."""
        made = self.generate(key_id, spec, label, PAIR_OPERATIONS)
        if made.spki_der is None:
            raise error_for("KEY_UNREADABLE", outcome_unknown=True)
        return made.spki_der

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key pair, or None when the token answers and has neither half."""
        check_key_id(key_id)
        found = self.read(KeyFamily.KEY_PAIR, key_id)
        return key_record(found) if found is not None else None

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest."""
        check_key_id(key_id)
        return self.sign_data(KeyFamily.KEY_PAIR, key_id, digest, scheme.value)

    def destroy(self, key_id: bytes) -> None:
        """Destroy both halves."""
        check_key_id(key_id)
        self.remove(KeyFamily.KEY_PAIR, key_id, None)

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key pair; the whole list is here before the first one is given."""
        objects = self.read_all().objects
        return iter([key_record(record) for record in objects if record.family is KeyFamily.KEY_PAIR])

    def capabilities(self) -> Capabilities:
        """Return what the token advertises."""
        answer = self._calls.ask("mechanisms", wire.Mechanisms, wire.MechanismsAnswer)
        return Capabilities(frozenset(answer.mechanisms), frozenset(answer.specs), frozenset(answer.schemes))

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Make a key of each kind, sign, verify the signature here, destroy the key again."""
        return tuple(line for spec in specs for line in self._test(spec))

    # The part for security objects

    def generate(self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation]) -> ObjectRecord:
        """Make a key that stays."""
        limits.check_new(key_id, spec, operations)
        fields = {"key_id": key_id, "spec": spec, "key_label": label, "operations": operations}
        return self._key(self._calls.ask("generate", wire.Generate, wire.KeyAnswer, fields, creates=True))

    def import_key(
        self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation], material: SecretLike
    ) -> ObjectRecord:
        """Put a key into the token."""
        limits.check_new(key_id, spec, operations)
        check_material(spec, material)
        fields = {"key_id": key_id, "spec": spec, "key_label": label, "operations": operations}
        fields["material"] = material.reveal_bytes()
        return self._key(self._calls.ask("import", wire.Import, wire.KeyAnswer, fields, creates=True))

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return the key, or None when the token answers and has no part of it."""
        check_any_key_id(key_id)
        found = self._calls.ask("read", wire.Read, wire.ReadAnswer, {"family": family, "key_id": key_id}).key
        return wire.object_record(found) if found is not None else None

    def read_all(self, known_digest: str = "") -> Listing:
        """Read every object, page by page."""
        return read_listing(self._calls, known_digest)

    def permit(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> ObjectRecord:
        """Set the permissions of a key to exactly these."""
        check_any_key_id(key_id)
        fields = {"family": family, "key_id": key_id, "operations": operations}
        return self._key(self._calls.ask("permit", wire.Permit, wire.KeyAnswer, fields))

    def remove_private(self, key_id: bytes) -> None:
        """Destroy the private half of a pair."""
        check_any_key_id(key_id)
        self._calls.ask("remove-private", wire.RemovePrivate, wire.DoneAnswer, {"key_id": key_id})

    def remove(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Destroy every half of a key."""
        check_any_key_id(key_id)
        fields = {"family": family, "key_id": key_id, "spki_der": spki_der}
        self._calls.ask("remove", wire.Remove, wire.DoneAnswer, fields)

    def sign_data(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> bytes:
        """Sign a digest, or a message for a MAC."""
        limits.signing_scheme(family, key_id, data, scheme)
        fields = {"family": family, "key_id": key_id, "data": data, "scheme": scheme}
        return self._calls.ask("sign", wire.Sign, wire.SignAnswer, fields).signature

    def verify_data(self, family: KeyFamily, key_id: bytes, data: bytes, signature: bytes, scheme: str) -> bool:
        """Say whether the signature is this key's over the data."""
        limits.signing_scheme(family, key_id, data, scheme)
        if len(signature) > wire.MAX_SIGNATURE_BYTES:
            return False  # longer than any key's
        fields = {"family": family, "key_id": key_id, "data": data, "scheme": scheme, "signature": signature}
        return self._calls.ask("verify", wire.Verify, wire.VerifyAnswer, fields).valid

    def encrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Encrypt."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_plaintext(data)
        fields = {"family": family, "key_id": key_id, "data": data, "scheme": scheme}
        return self._calls.ask("encrypt", wire.Encrypt, wire.DataAnswer, fields).data

    def decrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Decrypt."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_ciphertext(data, scheme)
        fields = {"family": family, "key_id": key_id, "data": data, "scheme": scheme}
        return self._calls.ask("decrypt", wire.Decrypt, wire.DataAnswer, fields).data

    def probe(self) -> TokenInfo:
        """Prove that gateway and token serve."""
        return self._token(self._calls.ask("probe", wire.Probe, wire.TokenAnswer))

    def _token(self, answer: wire.TokenAnswer) -> TokenInfo:
        self.is_open = answer.is_open
        return wire.token_info(answer.token)

    def _key(self, answer: wire.KeyAnswer) -> ObjectRecord:
        return wire.object_record(answer.key)

    def _test(self, spec: KeySpec) -> Iterator[TestLine]:
        scheme, key_id = spki.natural_scheme(spec), secrets.token_bytes(MIN_KEY_ID_BYTES)
        digest = spki.sample_digest(scheme, key_id)
        name = f"Make a key for the test ({spec.value})"
        made = True
        try:
            key = spki.load(self.generate_key_pair(key_id, spec, "Keystead self-test"))
            yield TestLine(name, ok=True)
            name = f"Sign with it ({scheme.value})"
            signature = self.sign(key_id, digest, scheme)
            yield TestLine(name, ok=True)
            name = "Verify the signature on this server"
            if not spki.verifies(key, signature, digest, scheme):
                raise error_for("SIGNATURE_WRONG")
            yield TestLine(name, ok=True)
        except DeviceError as error:
            made = name.startswith(("Sign", "Verify")) or error.outcome_unknown
            yield _failed(name, error)
        if made:
            yield self._cleared(key_id)

    def _cleared(self, key_id: bytes) -> TestLine:
        name = "Destroy the key"
        try:
            self.destroy(key_id)
        except DeviceError as error:
            return _failed(name, error)
        return TestLine(name, ok=True)


def key_record(record: ObjectRecord) -> KeyRecord:
    """Return a pair as `Device` describes it."""
    return KeyRecord(
        record.key_id, record.label, record.spki_der, record.has_private, record.has_public, record.attributes
    )


def _failed(name: str, error: DeviceError) -> TestLine:
    return TestLine(name, ok=False, detail=error.message, code=error.code, next_step=error.next_step)
