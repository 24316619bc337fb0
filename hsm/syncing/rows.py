"""Between the tables and what a plan is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q

from hsm import holders
from hsm.device.objects import KeyFamily, ObjectRecord, Operation
from hsm.models.groups import Group
from hsm.models.objects import ObjectState, Origin, SecurityObject, Tombstone
from hsm.models.tokens import TokenBinding
from hsm.objects.record import hsm_columns, public_columns
from hsm.scan import Address, AllOf, NoneOf, Rule, ScanOption, rule
from hsm.syncing.facts import Facts
from hsm.syncing.matching import KnownKey
from hsm.syncing.plan import Addition, Buried, Plan, Update

# A failed key that a slow HSM may have made after all is the reconciler's; one that was given up is not known.
KNOWN = ~Q(state=ObjectState.FAILED, look_after__isnull=True)
FOUND_BY = "Sync keys"  # who "created" a virtual key that a sync found
# What a sync writes. `operations`, what the console permits, is not among it (POL-07, POL-11).
WRITTEN = (
    *("key_id", "spki_der", "fingerprint", "missing_since", "hsm_label", "hsm_operations", "hsm_attributes"),
    *("hsm_has_private", "hsm_has_public", "hsm_fingerprint", "hsm_digest", "hsm_seen_at"),
    *("out_of_step", "problem", "problem_code"),
)
COLUMNS = (
    *("pk", "name", "family", "key_id", "label", "fingerprint", "state", "missing_since", "hsm_seen_at", "hsm_label"),
    *("hsm_operations", "hsm_attributes", "hsm_has_private", "hsm_has_public", "hsm_fingerprint"),
)


@dataclass(frozen=True)
class Before:
    """What a group knew when the listing began: addresses, and which keys were not being worked on."""

    at: datetime
    addresses: frozenset[Address]
    settled: frozenset[UUID]


def before(group: Group, now: datetime) -> Before:
    """Write down what is known before the HSM is asked, so that what happens meanwhile is not mistaken for drift."""
    found = SecurityObject.objects.filter(KNOWN, group=group).values_list("pk", "family", "key_id", "state")
    rows = list(found)
    return Before(
        now,
        frozenset((KeyFamily(family), bytes.fromhex(key_id)) for _, family, key_id, _ in rows),
        frozenset(pk for pk, _, _, state in rows if state == ObjectState.ACTIVE),
    )


def known(group: Group, earlier: Before) -> list[KnownKey]:
    """Return the virtual keys as they are now, by name."""
    rows = SecurityObject.objects.filter(KNOWN, group=group).order_by("name", "pk").values(*COLUMNS)
    return [_known(row, earlier) for row in rows.iterator(chunk_size=2000)]


def vanished(keys: list[KnownKey], earlier: Before) -> frozenset[Address]:
    """Return the addresses that were known before and are not any more."""
    return earlier.addresses - {key.address for key in keys}


def missing(group: Group) -> list[tuple[UUID, str, str]]:
    """Return row, name and CKA_ID (hex) of the virtual keys that are known to be missing, by name."""
    rows = SecurityObject.objects.filter(KNOWN, group=group, missing_since__isnull=False).order_by("name", "pk")
    return list(rows.values_list("pk", "name", "key_id"))


def tombstones(group: Group) -> list[Buried]:
    """Return the group's tombstones."""
    return [
        Buried(
            pk=grave.pk,
            name=grave.name,
            address=(KeyFamily(grave.family), bytes.fromhex(grave.key_id)),
            token_serial=grave.token_serial,
            fingerprint=grave.fingerprint,
            wanted=grave.wanted_at is not None,
        )
        for grave in Tombstone.objects.filter(group=group)
    ]


def scan(group: Group, graves: list[Buried]) -> Rule:
    """Return the group's Key Scan. Under either option keys of the console itself stay out: no group manages those."""
    made = SecurityObject.objects.filter(group=group).exclude(origin=Origin.FOUND).values_list("family", "key_id")
    own = frozenset((KeyFamily(family), bytes.fromhex(key_id)) for family, key_id in made.iterator(chunk_size=2000))
    asked_for = frozenset(grave.address for grave in graves if grave.wanted)
    wanted = rule(ScanOption(group.scan), own=own, asked_for=asked_for)
    return AllOf((wanted, NoneOf(_of_the_console())))


def _of_the_console() -> frozenset[Address]:
    """Return where root and message-signing keys of any server are; a CKA_ID of theirs is random, so it is unique."""
    bound = (key for binding in TokenBinding.objects.all() for key in holders.keys_on(binding))
    return frozenset((KeyFamily.KEY_PAIR, key.key_id) for key in bound)


def additions(group: Group, plan: Plan, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the columns of new virtual keys, as nobody sees them yet."""
    graves = Tombstone.objects.in_bulk([one.tombstone.pk for one in plan.added if one.tombstone])
    for one in plan.added:
        yield _new(group, one, graves.get(one.tombstone.pk) if one.tombstone else None, now)


def write_down(row: SecurityObject, update: Update, now: datetime) -> SecurityObject:
    """Put what the HSM says into a virtual key's row, unsaved."""
    row.key_id = update.record.key_id.hex()
    _take_facts(row, update.record, now)
    if row.out_of_step and row.hsm_operations == row.operations:  # what the HSM refused was done there by hand (POL-13)
        row.out_of_step, row.problem, row.problem_code = False, "", ""
    return row


def _new(group: Group, one: Addition, grave: Tombstone | None, now: datetime) -> dict[str, Any]:
    record = one.record
    said = hsm_columns(record, now)
    return {
        "id": uuid4(),
        "group_id": group.pk,
        "name": grave.name if grave else said["hsm_label"] or f"Key {record.key_id.hex()[:16]}",
        "label": said["hsm_label"],
        "operations": said["hsm_operations"],
        "origin": grave.origin if grave else Origin.FOUND,
        "state": ObjectState.INCOMING,
        "created_at": now,
        "created_by": FOUND_BY,
        "family": record.family.value,
        "spec": record.spec.value if record.spec else "",
        "key_type": record.key_type,
        "bits": record.bits,
        "key_id": record.key_id.hex(),
        "spki_der": record.spki_der,
        "fingerprint": said["hsm_fingerprint"],
        **said,
    }


def _take_facts(row: SecurityObject, record: ObjectRecord, now: datetime) -> None:
    said = hsm_columns(record, now)
    if record.spki_der and not row.spki_der:  # an HSM may show a public half that it did not show before
        said |= public_columns(record.spki_der)
    for name, value in said.items():
        setattr(row, name, value)


def _known(row: dict[str, Any], earlier: Before) -> KnownKey:
    read_since = row["hsm_seen_at"] is not None and row["hsm_seen_at"] >= earlier.at
    return KnownKey(
        pk=row["pk"],
        name=row["name"],
        family=KeyFamily(row["family"]),
        key_id=bytes.fromhex(row["key_id"]),
        label=row["label"],
        fingerprint=row["fingerprint"],
        seen=seen(row),
        missing=row["missing_since"] is not None,
        settled=row["state"] == ObjectState.ACTIVE and row["pk"] in earlier.settled and not read_since,
    )


def seen(row: dict[str, Any]) -> Facts | None:
    """Return what the HSM said last, or None when it was never asked."""
    if row["hsm_seen_at"] is None:
        return None
    return Facts(
        label=row["hsm_label"],
        operations=frozenset(Operation(name) for name in row["hsm_operations"] or ()),
        has_private=bool(row["hsm_has_private"]),
        has_public=bool(row["hsm_has_public"]),
        fingerprint=row["hsm_fingerprint"],
        attributes=row["hsm_attributes"],
    )
