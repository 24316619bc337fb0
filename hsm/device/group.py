"""The connections of a group as one device: the first that works serves, in the order of their priority.

with GroupDevice(members, on_event=note) as device:
    signature = device.sign_data(KeyFamily.KEY_PAIR, key_id, digest, "ecdsa-sha256")
    print(device.served_by)

What may be sent a second time is decided here: everything but a creation has the same effect when it is done twice.
A creation goes to another connection only when it certainly was not carried out, and not before that connection has
looked for the key. When its outcome is unknown the other connections are asked for the key, never for another one:
a gateway that was frozen may still make it.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Self, TypeVar

from hsm.device.base import (
    Capabilities,
    KeyRecord,
    KeySpec,
    SecretLike,
    SelfTesting,
    SignatureScheme,
    TestLine,
    TokenInfo,
)
from hsm.device.codes import error_for
from hsm.device.errors import DeviceError, ErrorClass, KeyExistsError
from hsm.device.failover import Health, Verdict, health, verdict
from hsm.device.objects import CipherScheme, KeyFamily, Listing, ObjectDevice, ObjectRecord, Operation, family_of

OnEvent = Callable[[str, DeviceError | None, float], None]  # member, its fault or None, milliseconds

_T = TypeVar("_T")
_Found = TypeVar("_Found", ObjectRecord, KeyRecord)


@dataclass(frozen=True)
class Member:
    """One connection. `device` opens it when it is first needed; it stays open until the group is closed.

    `key` is what this process remembers it by; it must change when its address or its PIN does. `prove` opens it with
    a short deadline, to ask for proof while others serve: one that is frozen should not hold them up.
    """

    name: str
    device: Callable[[], AbstractContextManager[ObjectDevice]]
    key: Hashable
    prove: Callable[[], AbstractContextManager[ObjectDevice]] | None = None


class GroupDevice:
    """Implements `ObjectDevice` and `SelfTesting`. `served_by` names the member that answered the last call."""

    def __init__(
        self,
        members: Sequence[Member],
        *,
        on_event: OnEvent = lambda _name, _fault, _latency_ms: None,
        health: Health = health,
    ) -> None:
        self.served_by = ""
        self._members = tuple(members)
        self._on_event = on_event
        self._health = health
        self._faults: dict[str, DeviceError] = {}
        self._opened: dict[str, ObjectDevice] = {}
        self._stack = ExitStack()
        self._opening = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection that was opened."""
        self._opened.clear()
        self._stack.close()

    # The Device port

    def token(self) -> TokenInfo:
        """Return the token, as the member that serves describes it."""
        return self._anywhere(lambda device: device.token())

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair, once, and return its SubjectPublicKeyInfo."""

        def public(found: KeyRecord) -> bytes | None:
            return found.spki_der if found.has_private and found.has_public and found.label == label else None

        return self._create(
            lambda device: device.generate_key_pair(key_id, spec, label), lambda device: device.find(key_id), public
        )

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key pair, or None."""
        return self._anywhere(lambda device: device.find(key_id))

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest."""
        return self._anywhere(lambda device: device.sign(key_id, digest, scheme))

    def destroy(self, key_id: bytes) -> None:
        """Destroy both halves."""
        self._anywhere(lambda device: device.destroy(key_id))

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key pair, all of them from one member."""
        return iter(self._anywhere(lambda device: list(device.list_keys())))

    def capabilities(self) -> Capabilities:
        """Return what the token advertises."""
        return self._anywhere(lambda device: device.capabilities())

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Test the member that serves."""
        return self._anywhere(lambda device: device.self_test(specs) if isinstance(device, SelfTesting) else ())

    # The part for security objects

    def generate(self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation]) -> ObjectRecord:
        """Make a key, once."""
        return self._create(
            lambda device: device.generate(key_id, spec, label, operations),
            _reader(spec, key_id),
            _taken(spec, label, operations),
        )

    def import_key(
        self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation], material: SecretLike
    ) -> ObjectRecord:
        """Put a key into the token, once."""
        return self._create(
            lambda device: device.import_key(key_id, spec, label, operations, material),
            _reader(spec, key_id),
            _taken(spec, label, operations),
        )

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return the key, or None."""
        return self._anywhere(lambda device: device.read(family, key_id))

    def read_all(self, known_digest: str = "") -> Listing:
        """Read every object, all of them from one member."""
        return self._anywhere(lambda device: device.read_all(known_digest))

    def permit(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> ObjectRecord:
        """Set the permissions of a key."""
        return self._anywhere(lambda device: device.permit(family, key_id, operations))

    def remove_private(self, key_id: bytes) -> None:
        """Destroy the private half of a pair."""
        self._anywhere(lambda device: device.remove_private(key_id))

    def remove(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Destroy every half of a key."""
        self._anywhere(lambda device: device.remove(family, key_id, spki_der))

    def sign_data(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> bytes:
        """Sign a digest, or a message for a MAC."""
        return self._anywhere(lambda device: device.sign_data(family, key_id, data, scheme))

    def verify_data(self, family: KeyFamily, key_id: bytes, data: bytes, signature: bytes, scheme: str) -> bool:
        """Say whether the signature is this key's."""
        return self._anywhere(lambda device: device.verify_data(family, key_id, data, signature, scheme))

    def encrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Encrypt."""
        return self._anywhere(lambda device: device.encrypt(family, key_id, data, scheme))

    def decrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Decrypt."""
        return self._anywhere(lambda device: device.decrypt(family, key_id, data, scheme))

    def probe(self) -> TokenInfo:
        """Prove that one member serves."""
        return self._anywhere(lambda device: device.probe())

    # How a call finds its member

    def _anywhere(self, act: Callable[[ObjectDevice], _T]) -> _T:
        """Act through the first member that can; for what may be done twice."""
        unknown = False
        for member in self._usable():
            try:
                return self._act(member, act)
            except DeviceError as error:
                if verdict(error) is Verdict.ANSWERED:
                    raise
                unknown = unknown or error.outcome_unknown
        raise self._nobody(outcome_unknown=unknown)

    def _create(
        self,
        create: Callable[[ObjectDevice], _T],
        look: Callable[[ObjectDevice], _Found | None],
        result: Callable[[_Found], _T | None],
    ) -> _T:
        """Create once. `look` finds the key, `result` makes of it what `create` returns, None when it is another."""
        unknown: DeviceError | None = None
        tried = False
        for member in self._usable():
            try:
                found = self._act(member, look) if tried else None
                if unknown is not None:
                    made = result(found) if found is not None else None
                    if made is None:
                        break  # not there, or not whole: the first may still be at it
                    return made
                if found is not None:
                    raise _exists(found)
                tried = True
                return self._act(member, create)
            except DeviceError as error:
                if unknown is None and verdict(error) is Verdict.ANSWERED:
                    raise
                unknown = unknown or (error if error.outcome_unknown else None)
        raise unknown or self._nobody()

    def _usable(self) -> Iterator[Member]:
        """Yield the members in order; one that rests only after a good probe, at the latest when no other is left."""
        resting = []
        for member in self._members:
            if (refusal := self._health.refusal(member.key)) is not None:
                self._faults.setdefault(member.name, refusal)
            elif not self._health.rests(member.key):
                yield member
            elif self._health.wait_s(member.key) > 0:
                resting.append(member)
            elif self._proves_itself(member, soon=True):
                yield member
        yield from (member for member in resting if self._proves_itself(member, soon=False))

    def _proves_itself(self, member: Member, *, soon: bool) -> bool:
        prove = member.prove if soon else None
        try:
            self._timed(member, lambda: self._device(member).probe() if prove is None else _probe(prove))
        except DeviceError:
            return False
        return True

    def _act(self, member: Member, act: Callable[[ObjectDevice], _T]) -> _T:
        """Act through one member."""
        return self._timed(member, lambda: act(self._device(member)))

    def _timed(self, member: Member, call: Callable[[], _T]) -> _T:
        """Call, and remember and tell how it went."""
        began = time.monotonic()
        try:
            outcome = call()
        except DeviceError as error:
            self._note(member, error, (time.monotonic() - began) * 1000)
            raise
        self._note(member, None, (time.monotonic() - began) * 1000)
        return outcome

    def _note(self, member: Member, error: DeviceError | None, latency_ms: float) -> None:
        if error is not None and verdict(error) is not Verdict.ANSWERED:
            self._faults[member.name] = error
            self._health.failed(member.key, error)
            self._on_event(member.name, error, latency_ms)
            return
        self.served_by = member.name
        if error is not None and error.error_class is ErrorClass.CALLER:
            return  # it may have been refused on this side: that says nothing about the connection
        self._faults.pop(member.name, None)
        self._health.worked(member.key)
        self._on_event(member.name, None, latency_ms)

    def _device(self, member: Member) -> ObjectDevice:
        with self._opening:
            device = self._opened.get(member.name)
            if device is None:
                device = self._opened[member.name] = self._stack.enter_context(member.device())
            return device

    def _nobody(self, *, outcome_unknown: bool = False) -> DeviceError:
        """Return the error of the only member, or one that names the fault of each."""
        if len(self._members) == 1 and self._faults:
            return next(iter(self._faults.values()))
        detail = " ".join(f"{name}: {fault.message}" for name, fault in self._faults.items())
        return error_for("NO_CONNECTION", detail=detail, outcome_unknown=outcome_unknown)


def _probe(prove: Callable[[], AbstractContextManager[ObjectDevice]]) -> TokenInfo:
    with prove() as device:
        return device.probe()


def _reader(spec: KeySpec, key_id: bytes) -> Callable[[ObjectDevice], ObjectRecord | None]:
    """Return what looks for a key."""
    return lambda device: device.read(family_of(spec), key_id)


def _taken(
    spec: KeySpec, label: str, operations: frozenset[Operation]
) -> Callable[[ObjectRecord], ObjectRecord | None]:
    """Return what takes the key that was asked for, with nothing missing, and no other."""

    def take(found: ObjectRecord) -> ObjectRecord | None:
        whole = found.has_private and (spec.is_aes or found.has_public)
        same = (found.spec, found.label, found.operations) == (spec, label, operations)
        return found if whole and same else None

    return take


def _exists(found: ObjectRecord | KeyRecord) -> KeyExistsError:
    error = error_for("KEY_EXISTS")
    assert isinstance(error, KeyExistsError)  # noqa: S101 - what the table says
    error.record = found if isinstance(found, ObjectRecord) else None
    return error
