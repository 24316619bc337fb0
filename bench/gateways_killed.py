"""What is lost or made twice in 1,000 operations of a group whose gateways are killed and revived in turn.

Operations: make a key, read it, sign with it, remove two of three. Gateways die at any moment, in the middle of a call
too. Where the outcome of a creation stays unknown the key is looked for at the end, as the reconciler does.
"""

import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

from bench.gatewaysite import Stage, gateways
from hsm.device import spki
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.errors import DeviceError
from hsm.device.group import GroupDevice
from hsm.device.objects import KeyFamily, ObjectRecord, Operation

OPERATIONS = 1000
BETWEEN = 15  # operations from a kill to the revival, and to the next kill
LIMITS = {"operations lost": 0, "keys lost": 0, "keys made twice": 0, "keys orphaned": 0}
SCHEME = SignatureScheme.ECDSA_SHA256
DIGEST = bytes(32)
SIGNS = frozenset({Operation.SIGN, Operation.VERIFY})
PAIR = KeyFamily.KEY_PAIR

_T = TypeVar("_T")


def measure() -> dict[str, float]:
    """Return what became of the operations and of the keys."""
    with gateways(2) as stage, stage.group() as group:
        work, killer = Work(group), Killer(stage)
        thread = threading.Thread(target=killer.run, args=(work,))
        thread.start()
        try:
            while work.done < OPERATIONS:
                work.on_a_key()
        finally:
            work.over.set()
            thread.join()
        for number in range(2):
            stage.wait_for(number)
        return {"operations": work.done, "kills": killer.kills, **work.counted(stage)}


class Work:
    """Does the operations, and keeps account."""

    def __init__(self, group: GroupDevice) -> None:
        self.done = 0
        self.over = threading.Event()
        self._group = group
        self._lost: list[str] = []
        self._kept: set[bytes] = set()
        self._unknown: set[bytes] = set()

    def on_a_key(self) -> None:
        """Make a key, read it, sign with it and mostly remove it."""
        key_id = secrets.token_bytes(16)
        made = self._do(lambda: self._make(key_id))
        if made is None:
            return
        self._kept.add(key_id)
        read = self._do(lambda: self._group.read(PAIR, key_id))
        if read != made:
            self._lost.append("a key that reads otherwise than it was made")
        signature = self._do(lambda: self._group.sign(key_id, DIGEST, SCHEME))
        if not signature or not spki.verifies(spki.load(made.spki_der or b""), signature, DIGEST, SCHEME):
            self._lost.append("a signature")
        if len(self._kept) % 3 and self._do(lambda: self._remove(key_id)):
            self._kept.discard(key_id)

    def counted(self, stage: Stage) -> dict[str, float]:
        """Return the account, against what is on the token at the end."""
        listing = stage.device(0).read_all()
        there = {record.key_id for record in listing.objects}
        for reason in self._lost:
            print(reason)
        return {
            "creations with an unknown outcome": len(self._unknown),
            "of these, found later": len(self._unknown & there),
            "operations lost": len(self._lost),
            "keys lost": len(self._kept - there),
            "keys made twice": len(listing.unmatched),  # a listing reports CKA_IDs that are taken twice
            "keys orphaned": len(there - self._kept - self._unknown),
        }

    def _do(self, act: Callable[[], _T]) -> _T | None:
        self.done += 1
        try:
            return act()
        except DeviceError as error:
            self._lost.append(f"{error.code}: {error.message}")
            return None

    def _make(self, key_id: bytes) -> ObjectRecord | None:
        try:
            return self._group.generate(key_id, KeySpec.EC_P256, "bench", SIGNS)
        except DeviceError as error:
            if not error.outcome_unknown:
                raise
            self._unknown.add(key_id)
            return None

    def _remove(self, key_id: bytes) -> bool:
        self._group.remove(PAIR, key_id, None)
        return True


class Killer:
    """Kills and revives the gateways in turn, never both."""

    def __init__(self, stage: Stage) -> None:
        self.kills = 0
        self._stage = stage

    def run(self, work: Work) -> None:
        """Go on until the work is over, and leave both alive."""
        while not work.over.is_set():
            number = self.kills % 2
            self._pause(work)
            self._stage.gateways[number].kill()
            self.kills += 1
            self._pause(work)
            self._stage.gateways[number].start()
            self._stage.wait_for(number)
            self._stage.clock.skipped += 61  # so that it is asked to prove itself

    def _pause(self, work: Work) -> None:
        """Wait for some more operations, and a part of one."""
        until = work.done + BETWEEN
        while work.done < until and not work.over.wait(0.001):
            pass
        work.over.wait(secrets.randbelow(10) / 1000)
