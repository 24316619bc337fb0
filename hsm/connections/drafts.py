"""Forms that are tested before they are saved: kept for 15 minutes, their secrets sealed."""

import uuid
from datetime import timedelta

from django.db import transaction

from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.subject import Subject
from console.servers.current import current
from hsm.connections.entering import Entered
from hsm.connections.sealed import SealedPin, seal_client_key, seal_pin
from hsm.groups.trusting import TrustEntry
from hsm.jobs import TEST_DRAFT
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Connection, Group, GroupKind, Trust

KEPT = timedelta(minutes=15)


def keep(
    entered: Entered,
    trust: TrustEntry | None,
    shown: dict[str, str],
    *,
    connection: Connection | None = None,
    group: Group | None = None,
    earlier: ConnectionDraft | None = None,
    actor: Actor,
) -> ConnectionDraft:
    """Keep a form, and ask the worker to test it; a PIN or key that was not typed again comes from `earlier`.

    `shown` is the form's text without secrets, to show it again. `trust` is None where the group's own counts.
    """
    draft = earlier or ConnectionDraft(
        id=uuid.uuid4(),
        server=current(),
        asked_by=actor.id,
        group_ref=group.pk if group else uuid.uuid4(),
        connection_ref=connection.pk if connection else uuid.uuid4(),
        created_at=clock.now(),
    )
    draft.fields = {"shown": shown, "place": entered.place(), "trust": _plain(trust)}
    draft.expires_at = clock.now() + KEPT
    if entered.pin is not None:
        _put_pin(draft, seal_pin(entered.pin, draft.connection_ref))
    if trust and trust.client_key is not None:
        draft.sealed_client_key = seal_client_key(trust.client_key, draft.group_ref)
    with transaction.atomic():
        draft.save()
        subject = Subject("connection-draft", str(draft.pk), _name(entered))
        draft.job = queue.enqueue(TEST_DRAFT, subject=subject, actor=actor)
        draft.save(update_fields=["job"])
    return draft


def find(draft_id: str, *, actor: Actor) -> ConnectionDraft | None:
    """Return a draft of this user that is still kept, or None."""
    try:
        key = uuid.UUID(draft_id)
    except ValueError:
        return None
    kept = ConnectionDraft.objects.select_related("job").filter(server=current(), expires_at__gt=clock.now())
    return kept.filter(pk=key, asked_by=actor.id).first()


def is_of(draft: ConnectionDraft, group: Group, connection: Connection | None) -> bool:
    """Return whether a form of this connection, or of a new one for None, was tested: its secrets are sealed for it."""
    if connection is None:
        return draft.group_ref == group.pk and not Connection.objects.filter(pk=draft.connection_ref).exists()
    return (draft.group_ref, draft.connection_ref) == (group.pk, connection.pk)


def is_of_new_group(draft: ConnectionDraft) -> bool:
    """Return whether the form of a group that is not made yet was tested."""
    return not Group.objects.filter(pk=draft.group_ref).exists()


def connection_of(draft: ConnectionDraft) -> Connection:
    """Return the connection that the draft would be, unsaved; what was not entered comes from the stored rows."""
    stored = Connection.objects.select_related("group").filter(pk=draft.connection_ref).first()
    group = (stored.group if stored else None) or Group.objects.filter(pk=draft.group_ref).first()
    if trust := draft.fields["trust"]:
        group = Group(id=draft.group_ref, kind=GroupKind.HSM, sealed_client_key=draft.sealed_client_key, **trust)
    made = Connection(id=draft.connection_ref, group=group, **draft.fields["place"])
    source: ConnectionDraft | Connection | None = draft if draft.sealed_pin is not None else stored
    if source and source.sealed_pin is not None:
        for name in ("sealed_pin", "pin_version", "pin_entered_at", "pin_rejected_version"):
            setattr(made, name, getattr(source, name))
    return made


def tidy() -> int:
    """Delete what was kept long enough; return how many. A test under way is waited for."""
    old = ConnectionDraft.objects.filter(server=current(), expires_at__lt=clock.now())
    return old.exclude(job__in=Job.objects.filter(state__in=OPEN)).delete()[0]


def _plain(trust: TrustEntry | None) -> dict[str, str | bool] | None:
    if trust is None:
        return None
    is_custom = trust.trust == Trust.CUSTOM
    return {
        "trust": trust.trust,
        "ca_pem": trust.ca_pem if is_custom else "",
        "client_cert_pem": trust.client_cert_pem if is_custom else "",
        "validate_host": trust.validate_host,
    }


def _put_pin(draft: ConnectionDraft, pin: SealedPin) -> None:
    draft.sealed_pin, draft.pin_version = pin.sealed_pin, pin.pin_version
    draft.pin_entered_at, draft.pin_rejected_version = pin.pin_entered_at, ""


def _name(entered: Entered) -> str:
    return Connection(**entered.place()).name
