"""Add, change and delete the connections of a group. Web: nothing here opens a PIN or reaches a gateway."""

import uuid
from dataclasses import asdict

from django.db import transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import canonical_json, sha256_hex
from console.lib.errors import NotFoundError
from hsm.actions import Action
from hsm.connections.entering import PLACE, Entered, changed_meanwhile, refuse_clash
from hsm.connections.sealed import SealedPin, seal_pin
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Connection, ConnectionState, Group
from hsm.refusals import recorded

# What a page says of a connection belongs to the place that it led to.
FORGOTTEN: dict[str, object] = {
    "label": "",
    "serial": "",
    "manufacturer": "",
    "model": "",
    "firmware": "",
    "is_open": False,
    "state": ConnectionState.UNTESTED,
    "state_since": None,
    "checked_at": None,
    "latency_ms": None,
    "fault_code": "",
    "fault": "",
    "fault_next_step": "",
}


def version(connection: Connection) -> str:
    """Return a mark of what a form shows; another one means that somebody changed it."""
    shown = {name: getattr(connection, name) for name in (*PLACE, "pin_version")}
    return sha256_hex(canonical_json(shown))[:16]


def add(group: Group, entered: Entered, *, draft: ConnectionDraft | None = None, actor: Actor) -> Connection:
    """Add a connection at the end of the order.

    A PIN that was not typed again comes from `draft`, the tested form. Raises RefusedError for a second slot of one
    gateway, NotFoundError for a group that was deleted meanwhile.
    """
    with recorded(Action.CONNECTION_ADDED, group.subject, actor=actor), transaction.atomic():
        lock(group)
        refuse_clash(entered, group.connections.all())
        made = insert(group, entered, draft)
        log.append(Action.CONNECTION_ADDED, made.subject, actor=actor, details=described(made))
    return made


def insert(group: Group, entered: Entered, draft: ConnectionDraft | None) -> Connection:
    """Write the row of a new connection, and take the draft away; in the caller's transaction."""
    row_id = draft.connection_ref if draft else uuid.uuid4()
    last = group.connections.order_by("-position").values_list("position", flat=True).first()
    made = Connection(
        id=row_id,
        group=group,
        position=1 if last is None else last + 1,
        created_at=clock.now(),
        **entered.place(),
    )
    _put_pin(made, _pin(entered, draft, row_id))
    made.save(force_insert=True)
    if draft:
        draft.delete()
    return made


def edit(
    connection: Connection, entered: Entered, *, seen: str, draft: ConnectionDraft | None = None, actor: Actor
) -> Connection:
    """Change a connection; `seen` is the version that the form showed. The PIN stays when none was entered.

    Raises ConflictError when somebody else changed it, RefusedError as `add` does.
    """
    with recorded(Action.CONNECTION_CHANGED, connection.subject, actor=actor), transaction.atomic():
        group = lock(connection.group)
        row = Connection.objects.select_related("group").filter(pk=connection.pk).first()
        if row is None or version(row) != seen:
            raise changed_meanwhile("this connection")
        refuse_clash(entered, group.connections.exclude(pk=row.pk))
        before = row.name, row.slot
        moved = any(getattr(row, name) != value for name, value in entered.place().items())
        pin = _pin(entered, draft, row.pk)
        # With a PIN the token is named anew, too: the one in that slot may have been replaced.
        for name, value in {**entered.place(), **(FORGOTTEN if moved or pin else {})}.items():
            setattr(row, name, value)
        _put_pin(row, pin)
        row.save()
        if draft:
            draft.delete()
        details = {**described(row), "was": before[0], "slot was": before[1], "new PIN": pin is not None}
        log.append(Action.CONNECTION_CHANGED, row.subject, actor=actor, details=details)
    return row


def delete(connection: Connection, *, actor: Actor) -> None:
    """Delete a connection with its stored PIN; keys in the HSM and virtual keys stay."""
    with transaction.atomic():
        group = lock(connection.group)
        if not group.connections.filter(pk=connection.pk).exists():
            raise NotFoundError("This connection was deleted already.")
        subject, details = connection.subject, described(connection)
        group.connections.filter(pk=connection.pk).delete()
        renumber(group)
        log.append(Action.CONNECTION_DELETED, subject, actor=actor, details=details)


def lock(group: Group) -> Group:
    """Return the group, locked: whoever changes its connections does it one after the other."""
    found = Group.objects.select_for_update(of=("self",)).filter(pk=group.pk, deleted_at__isnull=True).first()
    if found is None:
        raise NotFoundError("This group was deleted meanwhile. Nothing was changed.")
    return found


def renumber(group: Group) -> None:
    """Give the connections the positions 1, 2, 3 … in their order."""
    for position, row in enumerate(group.connections.all(), start=1):
        if row.position != position:
            Connection.objects.filter(pk=row.pk).update(position=position)


def described(connection: Connection) -> dict[str, object]:
    """Return what an entry says about a connection."""
    return {"connection": connection.name, "kind": connection.get_kind_display(), "slot": connection.slot}


def _pin(entered: Entered, draft: ConnectionDraft | None, row_id: uuid.UUID) -> SealedPin | None:
    """Return the PIN that was entered, now or when the form was tested."""
    if entered.pin is not None:
        return seal_pin(entered.pin, row_id)
    if draft and draft.sealed_pin is not None and draft.pin_entered_at is not None:
        return SealedPin(bytes(draft.sealed_pin), draft.pin_version, draft.pin_entered_at, draft.pin_rejected_version)
    return None


def _put_pin(row: Connection, pin: SealedPin | None) -> None:
    for name, value in (asdict(pin) if pin else {}).items():
        setattr(row, name, value)
