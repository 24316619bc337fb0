"""Which virtual key and which key of the HSM are one. Pure.

They belong together by class family and CKA_ID. Where that fails, because the CKA_ID was changed outside, an equal
public value tells, with the label where several have it (AMB-39). A label alone proves nothing: a secret key with
another CKA_ID is another key, and so is a pair with another public value under the old one.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from console.lib.digest import spki_fingerprint
from hsm.device.objects import KeyFamily, ObjectRecord
from hsm.scan import Address, address
from hsm.syncing.facts import Facts, shown

Thing = TypeVar("Thing")
Pair = tuple["KnownKey", ObjectRecord]


@dataclass(frozen=True)
class KnownKey:
    """A virtual key. `seen` is what the HSM said when it was last read.

    A key that is not `settled` is being made, rotated or deleted, or was read after the listing began: it keeps its
    address and is not touched.
    """

    pk: UUID
    name: str
    family: KeyFamily
    key_id: bytes
    label: str
    fingerprint: str
    seen: Facts | None
    missing: bool = False
    settled: bool = True

    @property
    def address(self) -> Address:
        """What addresses its key."""
        return self.family, self.key_id


@dataclass(frozen=True)
class Matched:
    """`pairs` agree in the address, `moved` in the public value only; the rest has no counterpart."""

    pairs: Sequence[Pair]
    moved: Sequence[Pair]
    lost: Sequence[KnownKey]
    free: Sequence[ObjectRecord]


def match(objects: Sequence[ObjectRecord], known: Sequence[KnownKey]) -> Matched:
    """Match each virtual key with at most one key, and each key with at most one virtual key."""
    by_address = {address(record): record for record in objects}
    pairs: list[Pair] = []
    lost: list[KnownKey] = []
    for key in known:
        record = by_address.get(key.address)
        # A key that is being worked on keeps what stands at its address, whatever that is by now.
        if record and (not key.settled or same_value(key.fingerprint, fingerprint(record))):
            pairs.append((key, by_address.pop(key.address)))
        else:
            lost.append(key)
    alike = _by_value([key for key in lost if key.settled], objects)
    moved = _unhindered([pair for pair in alike if address(pair[1]) in by_address], lost)
    found = {key.pk for key, _ in moved}
    for _, record in moved:
        del by_address[address(record)]
    return Matched(pairs, moved, [key for key in lost if key.pk not in found], list(by_address.values()))


def same_value(one: str, other: str) -> bool:
    """Say whether two fingerprints may be of one key: an HSM need not show the public value."""
    return not one or not other or one == other


def fingerprint(record: ObjectRecord) -> str:
    """Return the fingerprint of a key's public value, empty for none."""
    return spki_fingerprint(record.spki_der) if record.spki_der else ""


def _by_value(lost: Iterable[KnownKey], objects: Iterable[ObjectRecord]) -> list[Pair]:
    """Pair lost keys by their public value.

    Copies count wherever they are: one that this sync imports must not make the other the only one for the next.
    """
    keys = [key for key in lost if key.fingerprint]
    records = [record for record in objects if record.spki_der] if keys else []
    labelled = _only_ones(
        keys,
        records,
        lambda key: (key.family, key.fingerprint, key.seen.label if key.seen else key.label),
        lambda record: (record.family, fingerprint(record), shown(record.label)),
    )
    done, taken = {key.pk for key, _ in labelled}, {address(record) for _, record in labelled}
    return labelled + _only_ones(
        [key for key in keys if key.pk not in done],
        [record for record in records if address(record) not in taken],
        lambda key: (key.family, key.fingerprint),
        lambda record: (record.family, fingerprint(record)),
    )


def _unhindered(moved: list[Pair], lost: Sequence[KnownKey]) -> list[Pair]:
    """Leave out moves to an address that a lost key keeps: two virtual keys cannot have one."""
    while True:
        moving = {key.pk for key, _ in moved}
        kept = {key.address for key in lost if key.pk not in moving}
        free = [pair for pair in moved if address(pair[1]) not in kept]
        if len(free) == len(moved):
            return free
        moved = free


def _only_ones(
    keys: Iterable[KnownKey],
    records: Iterable[ObjectRecord],
    of_key: Callable[[KnownKey], Hashable],
    of_record: Callable[[ObjectRecord], Hashable],
) -> list[Pair]:
    """Pair what has a trait that one key and one record have, and no other."""
    by_key, by_record = _grouped(keys, of_key), _grouped(records, of_record)
    both = (trait for trait, found in by_key.items() if len(found) == len(by_record.get(trait, ())) == 1)
    return [(by_key[trait][0], by_record[trait][0]) for trait in both]


def _grouped(things: Iterable[Thing], trait: Callable[[Thing], Hashable]) -> dict[Hashable, list[Thing]]:
    found: dict[Hashable, list[Thing]] = defaultdict(list)
    for thing in things:
        found[trait(thing)].append(thing)
    return found
