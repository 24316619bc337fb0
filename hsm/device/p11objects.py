"""The security objects of a loaded module, as the host answers for them. Every method raises ModuleFaultError only."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from pkcs11 import Attribute as A  # noqa: N817 - in tables

from hsm.device import p11make, p11use
from hsm.device.faults import ModuleFaultError
from hsm.device.objects import PRIVATE_OPERATIONS, PUBLIC_OPERATIONS, KeyFamily, Operation
from hsm.device.objectwire import (
    OBJECTS_PER_FRAME,
    ImportObject,
    MakeObject,
    ObjectPart,
    Permit,
    UnmatchedPart,
    UseKey,
)
from hsm.device.objectwire import Objects as ObjectsReply
from hsm.device.p11describe import KEY_CLASSES, Census, Half, key_part
from hsm.device.p11session import ObjectSession
from hsm.device.pkcs11 import Module
from hsm.device.wire import TokenPart


class Objects:
    """Reads, makes, changes, uses and removes keys of the token that the module is logged in to."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._session = ObjectSession(module)

    def reset(self) -> None:
        """Initialise the module anew; its sessions are gone."""
        self._session.forget()
        self._module.reset()

    def probe(self, label: str, serial: str) -> TokenPart:
        """Prove that the token serves: the one logged in to, or the one of these names, without a login."""
        part = self._module.token_now(label, serial)
        self._session.prove(part.slot_id)
        return part

    def make(self, asked: MakeObject) -> ObjectPart:
        """Generate a key."""
        with self._careful() as session:
            return p11make.make(session, asked)

    def take_in(self, asked: ImportObject) -> ObjectPart:
        """Import a key."""
        with self._careful() as session:
            return p11make.take_in(session, asked)

    def read(self, family: str, key_id: bytes) -> ObjectPart | None:
        """Read one key; None only when the token itself still answers."""
        with self._careful() as session:
            halves = session.key(family, key_id)
            return key_part(KeyFamily(family), halves) if halves else None

    def read_all(self, known: bytes = b"") -> Iterator[ObjectsReply]:
        """Read every object, and give all of them in parts unless `known` is their mark.

        To a worker that knows no mark, keys are given while others are read: it digests them meanwhile.
        """
        with self._careful() as session:
            census = Census()
            handles = session.calls.find(session.handle, {A.TOKEN: True})
            for _ in census.take(session.describer, session.handle, handles):
                yield from _frames([] if known else census.pairs())
            keys = sorted(census.keys(), key=lambda part: (part.family, part.key_id))
            unmatched = sorted(census.unmatched(), key=lambda part: (part.object_class, part.key_id, part.label))
            self._module.token_now()
        mark = hashlib.sha256(msgspec.msgpack.encode((keys, unmatched))).digest()
        if mark != known:
            rest = [key for key in keys if (key.family, key.key_id) not in census.given]
            yield from _frames(rest, unmatched, census.withdrawn())
        yield ObjectsReply([], [], [], more=False, mark=mark)

    def permit(self, asked: Permit) -> ObjectPart:
        """Set the permissions on the halves that carry them; what was changed in part is taken back."""
        wanted = frozenset(map(Operation, asked.operations))
        with self._careful() as session:
            halves = session.key(asked.family, asked.key_id)
            if not halves or wanted - frozenset[Operation]().union(*map(_carried, halves)):
                raise ModuleFaultError("KEY_MISSING")
            try:
                for half in halves:
                    _set_permissions(session, half, wanted & _carried(half))
                after = [session.describer.half(session.handle, half.handle) for half in halves]
            except ModuleFaultError as fault:
                fault.outcome_unknown = not _taken_back(session, halves)
                raise
            finally:
                session.changed(asked.key_id)
            if any(half.operations != wanted & _carried(half) for half in after):
                raise ModuleFaultError(
                    "CKR_FUNCTION_FAILED",
                    "The permissions are not what they were set to.",
                    outcome_unknown=not _taken_back(session, halves),
                )
            return key_part(KeyFamily(asked.family), after)

    def remove_private(self, key_id: bytes) -> None:
        """Destroy the private half of a pair, and look that it is gone."""
        with self._careful() as session:
            halves = session.key(KeyFamily.KEY_PAIR, key_id)
            self._destroy([half for half in halves if not half.is_public], KeyFamily.KEY_PAIR)

    def remove(self, family: str, key_id: bytes) -> None:
        """Destroy every half, the private one first, and look that nothing is left."""
        with self._careful() as session:
            self._destroy(sorted(session.key(family, key_id), key=lambda half: half.is_public), family)

    def use(self, asked: UseKey) -> bytes:
        """Sign, verify, encrypt or decrypt."""
        with self._careful() as session:
            return p11use.use(session, asked)

    def _destroy(self, halves: Iterable[Half], family: str) -> None:
        doomed = list(halves)
        for half in doomed:
            self._session.destroy(half)
        if not doomed:
            return
        left = {half.object_class for half in self._session.key(family, doomed[0].key_id)}
        if left & {half.object_class for half in doomed}:
            raise ModuleFaultError("CKR_FUNCTION_FAILED", "The key is still on the token.")

    @contextmanager
    def _careful(self) -> Iterator[ObjectSession]:
        try:
            yield self._session
        except ModuleFaultError as fault:
            self._session.drop_after(fault)
            raise


def _frames(
    keys: list[ObjectPart], unmatched: Sequence[UnmatchedPart] = (), withdrawn: Sequence[tuple[str, bytes]] = ()
) -> Iterator[ObjectsReply]:
    """Cut what is given into frames; an empty one where it is nothing."""
    for start in range(0, max(len(keys), len(unmatched), len(withdrawn), 1), OBJECTS_PER_FRAME):
        here = slice(start, start + OBJECTS_PER_FRAME)
        yield ObjectsReply(keys[here], list(unmatched[here]), list(withdrawn[here]), more=True)


def _carried(half: Half) -> frozenset[Operation]:
    """Return the permissions that are attributes of this half."""
    if KEY_CLASSES[half.object_class] is KeyFamily.SECRET_KEY:
        return frozenset(Operation)
    return PUBLIC_OPERATIONS if half.is_public else PRIVATE_OPERATIONS


def _set_permissions(session: ObjectSession, half: Half, wanted: frozenset[Operation]) -> None:
    changed = {
        int(A[operation.name]): operation in wanted
        for operation in Operation
        if operation in _carried(half) and (operation in wanted) is not (operation in half.operations)
    }
    if changed:
        session.calls.set(session.handle, half.handle, changed)


def _taken_back(session: ObjectSession, before: Iterable[Half]) -> bool:
    """Give every half the permissions it had, and say whether it has them for certain."""
    try:
        for half in before:
            now = session.describer.half(session.handle, half.handle)
            _set_permissions(session, now, half.operations)
            if session.describer.half(session.handle, half.handle).operations != half.operations:
                return False
    except ModuleFaultError:
        return False
    return True
