"""What a sync does, decided in memory from a whole listing and from what the group knows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hsm.device.objects import KeyFamily, Listing, ObjectRecord, Unmatched
from hsm.scan import Address, Rule, address
from hsm.syncing import facts
from hsm.syncing.matching import KnownKey, Pair, fingerprint, match, same_value

OBJECT_CLASS = {KeyFamily.KEY_PAIR: "CKO_PRIVATE_KEY", KeyFamily.SECRET_KEY: "CKO_SECRET_KEY"}


@dataclass(frozen=True)
class Buried:
    """A tombstone: a virtual key that was deleted while its key stays in the HSM. `wanted`: to be imported again."""

    pk: UUID
    name: str
    address: Address
    token_serial: str
    fingerprint: str
    wanted: bool


@dataclass(frozen=True)
class Update:
    """A virtual key and its key as it is now; `attributes` name what differs from what was last seen."""

    key: KnownKey
    record: ObjectRecord
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Addition:
    """A key that becomes a virtual key; with the tombstone that it comes back from, if there is one."""

    record: ObjectRecord
    tombstone: Buried | None


@dataclass(frozen=True)
class Skip:
    """A key that stays out because its virtual key was deleted."""

    record: ObjectRecord
    tombstone: Buried


@dataclass(frozen=True)
class Plan:
    """What a sync does. No key stands in two parts.

    `back` were missing, `moved` have another CKA_ID than they had, `first_seen` were never read before. `outside` are
    keys that the Key Scan leaves alone; `left` are names of keys on which the next sync decides.
    """

    added: tuple[Addition, ...]
    changed: tuple[Update, ...]
    first_seen: tuple[Update, ...]
    moved: tuple[Update, ...]
    back: tuple[Update, ...]
    missing: tuple[KnownKey, ...]
    still_missing: tuple[KnownKey, ...]
    skipped: tuple[Skip, ...]
    outside: tuple[ObjectRecord, ...]
    unmatched: tuple[Unmatched, ...]
    left: tuple[str, ...]

    @property
    def updates(self) -> tuple[Update, ...]:
        """Every virtual key of which the sync writes down what the HSM says."""
        return (*self.changed, *self.first_seen, *self.moved, *self.back)


def plan(
    listing: Listing,
    known: Sequence[KnownKey],
    tombstones: Sequence[Buried],
    scan: Rule,
    *,
    vanished: frozenset[Address] = frozenset(),
) -> Plan:
    """Decide what to do.

    `vanished` are addresses that the group knew when the listing began and does not know any more: such a key was
    deleted meanwhile, perhaps in the HSM too. The next listing tells.
    """
    matched = match(listing.objects, known)
    held = {key.address: key for key in matched.lost}
    graves = {grave.address: grave for grave in tombstones if grave.token_serial in ("", listing.token.serial)}
    sorted_out = _sort(matched.free, held, graves, scan, vanished)
    settled = [(key, record) for key, record in matched.pairs if key.settled]
    there = [_update(pair) for pair in settled if not pair[0].missing]
    gone = [key for key in matched.lost if key.settled]
    return Plan(
        added=tuple(sorted_out.added),
        changed=tuple(one for one in there if one.attributes and one.key.seen),
        first_seen=tuple(one for one in there if not one.key.seen),
        moved=tuple(_update(pair) for pair in matched.moved),
        back=tuple(_update(pair) for pair in settled if pair[0].missing),
        missing=tuple(key for key in gone if not key.missing),
        still_missing=tuple(key for key in gone if key.missing),
        skipped=tuple(sorted_out.skipped),
        outside=tuple(sorted_out.outside),
        unmatched=(*listing.unmatched, *sorted_out.unmatched),
        left=tuple(sorted_out.left + [key.name for key, _ in matched.pairs if not key.settled]),
    )


@dataclass(frozen=True)
class _SortedOut:
    added: list[Addition]
    skipped: list[Skip]
    outside: list[ObjectRecord]
    unmatched: list[Unmatched]
    left: list[str]


def _sort(
    free: Sequence[ObjectRecord],
    held: Mapping[Address, KnownKey],
    graves: Mapping[Address, Buried],
    scan: Rule,
    vanished: frozenset[Address],
) -> _SortedOut:
    """Decide on each key that belongs to no virtual key."""
    sorted_out = _SortedOut([], [], [], [], [])
    for record in free:
        where = address(record)
        grave = graves.get(where)
        if grave and not same_value(grave.fingerprint, fingerprint(record)):
            grave = None  # somebody made another key under the CKA_ID of the deleted one
        if where in held:
            sorted_out.unmatched.append(_in_the_place_of(held[where], record))
        elif where in vanished:
            sorted_out.left.append(facts.shown(record.label) or record.key_id.hex())
        elif grave and not grave.wanted:
            sorted_out.skipped.append(Skip(record, grave))
        elif scan.takes(record):
            sorted_out.added.append(Addition(record, grave))
        else:
            sorted_out.outside.append(record)
    return sorted_out


def _update(pair: Pair) -> Update:
    key, record = pair
    return Update(key, record, facts.differences(key.seen, facts.of(record)) if key.seen else ())


def _in_the_place_of(key: KnownKey, record: ObjectRecord) -> Unmatched:
    reason = (
        f"Another key has taken the CKA_ID of “{key.name}”: its public value differs. Delete that one to import it."
    )
    return Unmatched(OBJECT_CLASS[record.family], record.key_id, facts.shown(record.label), reason)
