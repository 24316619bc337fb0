"""Records of keys that no HSM has, for what decides in memory."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from hsm.device.base import KeyAttributes, KeySpec, TokenInfo
from hsm.device.listing import make_listing
from hsm.device.objects import KeyFamily, Listing, ObjectRecord, Operation, Unmatched
from hsm.syncing import facts
from hsm.syncing.matching import KnownKey, fingerprint
from hsm.syncing.plan import Plan

TOKEN = TokenInfo("module", 1, "alpha", "0011", "SoftHSM", "v2", "2.6", frozenset())
MADE_THERE = KeyAttributes(sensitive=True, extractable=False, local=True, never_extractable=True, always_sensitive=True)
SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})


def pair(key_id: bytes = b"\x01", label: str = "one", value: bytes | None = b"public one") -> ObjectRecord:
    """Return an EC pair; equal `value`s stand for equal public values."""
    return ObjectRecord(
        family=KeyFamily.KEY_PAIR,
        key_id=key_id,
        label=label,
        key_type="EC",
        bits=256,
        spec=KeySpec.EC_P256,
        spki_der=value,
        has_private=True,
        has_public=value is not None,
        operations=SIGNING,
        attributes=MADE_THERE,
        modifiable=True,
    )


def secret(key_id: bytes = b"\x01", label: str = "aes") -> ObjectRecord:
    """Return an AES key."""
    operations = frozenset({Operation.ENCRYPT, Operation.DECRYPT})
    return replace(
        pair(key_id, label, None),
        family=KeyFamily.SECRET_KEY,
        key_type="AES",
        spec=KeySpec.AES_256,
        operations=operations,
    )


def listing(*objects: ObjectRecord, unmatched: tuple[Unmatched, ...] = ()) -> Listing:
    """Return a listing of these."""
    return make_listing(TOKEN, objects, unmatched)


def known(record: ObjectRecord, pk: UUID | None = None, **other: Any) -> KnownKey:
    """Return the virtual key of a record, as it was when it was last read."""
    key = KnownKey(
        pk=pk or uuid4(),
        name=facts.shown(record.label),
        family=record.family,
        key_id=record.key_id,
        label=facts.shown(record.label),
        fingerprint=fingerprint(record),
        seen=facts.of(record),
    )
    return replace(key, **other)


def after(keys: list[KnownKey], plan: Plan) -> list[KnownKey]:
    """Return what is known once the plan is true."""
    updated = {
        update.key.pk: replace(
            update.key,
            key_id=update.record.key_id,
            fingerprint=update.key.fingerprint or fingerprint(update.record),
            seen=facts.of(update.record),
            missing=False,
        )
        for update in plan.updates
    }
    gone = {key.pk for key in plan.missing}
    kept = [
        replace(updated.get(key.pk, key), missing=key.pk in gone or updated.get(key.pk, key).missing) for key in keys
    ]
    return kept + [known(one.record) for one in plan.added]
