"""Attribute by attribute: what policy and console say, what the virtual key holds, what the HSM said when last read."""

from collections.abc import Iterator
from dataclasses import dataclass

from hsm.device.objects import PRIVATE_OPERATIONS, Operation
from hsm.models.groups import Policy
from hsm.models.objects import Family, Origin, SecurityObject
from hsm.syncing import facts

YES, NO, NOTHING, UNREAD = "yes", "no", "—", "not read yet"
PROTECTED = {"sensitive": True, "extractable": False}  # what a key that the console made must be
SAID = {True: YES, False: NO, None: "not said"}


@dataclass(frozen=True)
class DriftRow:
    """One attribute in three columns; `differs` when the HSM does not hold what the console holds or demands."""

    attribute: str
    console: str
    virtual: str
    hsm: str
    differs: bool
    mono: bool = False


def rows(obj: SecurityObject) -> list[DriftRow]:
    """Return the table of a virtual key; empty for a key of a software group, which is the key itself."""
    if not obj.group.is_hsm:
        return []
    found = [_label(obj), _key_id(obj), *_permissions(obj), *_protection(obj), *_halves(obj)]
    if obj.missing_since:
        return [
            DriftRow(row.attribute, row.console, row.virtual, "missing", differs=True, mono=row.mono) for row in found
        ]
    if obj.hsm_seen_at is None:
        return [
            DriftRow(row.attribute, row.console, row.virtual, UNREAD, differs=False, mono=row.mono) for row in found
        ]
    return found


def _label(obj: SecurityObject) -> DriftRow:
    return DriftRow(
        facts.LABEL, f"name: {obj.name}", obj.label or NOTHING, obj.hsm_label or NOTHING, obj.label != obj.hsm_label
    )


def _key_id(obj: SecurityObject) -> DriftRow:
    chosen = "as found" if obj.origin == Origin.FOUND else "chosen by the console"
    # A sync follows a key whose CKA_ID was changed outside, so the two are never apart.
    return DriftRow("CKA_ID", chosen, obj.key_id, obj.key_id, differs=False, mono=True)


def _permissions(obj: SecurityObject) -> Iterator[DriftRow]:
    told = "changes are applied" if obj.group.policy == Policy.APPLY else "changes stay here"
    granted, in_hsm = set(obj.operations), set(obj.hsm_operations or ())
    for one in Operation:
        here, there = one.value in granted, one.value in in_hsm
        if obj.private_removed_at and one in PRIVATE_OPERATIONS and obj.family == Family.KEY_PAIR:
            here = False  # the virtual key has no half that could do it
        if here or there:
            yield DriftRow(one.attribute, told, YES if here else NO, YES if there else NO, here != there)


def _protection(obj: SecurityObject) -> Iterator[DriftRow]:
    made_here = obj.origin != Origin.FOUND
    for name, shown in facts.ATTRIBUTES.items():
        said = obj.hsm_attributes.get(name)
        demanded = PROTECTED.get(name) if made_here else None
        console = NOTHING if demanded is None else f"must be {SAID[demanded]}"
        yield DriftRow(
            shown, console, NOTHING, SAID[said], demanded is not None and said is not None and said != demanded
        )


def _halves(obj: SecurityObject) -> Iterator[DriftRow]:
    there = {True: "there", False: "not there"}
    private = not obj.private_removed_at
    secret = obj.family == Family.SECRET_KEY
    yield DriftRow(
        "secret key" if secret else facts.PRIVATE_HALF,
        NOTHING if private else "removed in the console",
        there[private],
        there[bool(obj.hsm_has_private)],
        private != bool(obj.hsm_has_private),
    )
    if secret:
        return
    yield DriftRow(
        facts.PUBLIC_HALF,
        NOTHING,
        there[bool(obj.fingerprint)],
        there[bool(obj.hsm_has_public)],
        bool(obj.fingerprint) and not obj.hsm_has_public,
    )
    yield DriftRow(
        facts.PUBLIC_VALUE,
        NOTHING,
        obj.fingerprint or NOTHING,
        obj.hsm_fingerprint or NOTHING,
        bool(obj.hsm_fingerprint) and obj.fingerprint != obj.hsm_fingerprint,
        mono=True,
    )
