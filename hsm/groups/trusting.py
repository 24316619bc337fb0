"""What a gateway's certificate is checked against, and what the console shows to a gateway (GRP-12 to GRP-18)."""

from dataclasses import dataclass, field

from django.db import transaction

from console.activity import log
from console.jobs import queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import canonical_json, sha256_hex
from console.lib.secret import Secret
from hsm.actions import Action
from hsm.connections.editing import lock
from hsm.connections.entering import changed_meanwhile
from hsm.connections.requests import request_test
from hsm.connections.sealed import seal_client_key
from hsm.jobs import TAKE_CLIENT_PAIR
from hsm.models.drafts import ConnectionDraft, StagedClientPair
from hsm.models.groups import Group, Trust
from hsm.refusals import recorded


@dataclass(frozen=True)
class TrustEntry:
    """The certificates of a group as they were entered, in PEM.

    Without `client_key` a client certificate is only kept when it is the one that is there. `drop_client` takes the
    pair away.
    """

    trust: str = Trust.GLOBAL
    ca_pem: str = ""
    client_cert_pem: str = ""
    client_key: Secret | None = field(default=None, repr=False)
    validate_host: bool = True
    drop_client: bool = False

    @property
    def is_custom(self) -> bool:
        """Whether the group brings its own CA, and may bring a client certificate."""
        return self.trust == Trust.CUSTOM


def version(group: Group) -> str:
    """Return a mark of what the form shows; another one means that somebody changed it."""
    staged = StagedClientPair.objects.filter(group=group).values_list("entered_at", flat=True).first()
    shown = [group.trust, group.ca_pem, group.client_cert_pem, group.validate_host, str(staged)]
    return sha256_hex(canonical_json(shown))[:16]


def set_trust(group: Group, entry: TrustEntry, *, seen: str, actor: Actor) -> None:
    """Change the certificates of a group; `seen` is the version that the form showed.

    A new client key is compared with its certificate by a job before the group uses the two. Raises ConflictError.
    """
    with recorded(Action.GROUP_TRUST_CHANGED, group.subject, actor=actor), transaction.atomic():
        row = lock(group)
        if version(row) != seen:
            raise changed_meanwhile("the certificates of this group")
        put_trust(row, entry)
        row.save(update_fields=["trust", "ca_pem", "validate_host", "client_cert_pem", "sealed_client_key"])
        if not stage_pair(row, entry, None, actor=actor):
            request_test(row, actor=actor)
        details = {"trust": row.get_trust_display(), "Validate Host": row.validate_host, "client key": _told(entry)}
        log.append(Action.GROUP_TRUST_CHANGED, row.subject, actor=actor, details=details)


def put_trust(group: Group, entry: TrustEntry) -> None:
    """Set what needs no check by the worker; Global Root CA drops the group's own certificates."""
    group.trust = entry.trust
    group.validate_host = entry.validate_host
    group.ca_pem = entry.ca_pem if entry.is_custom else ""
    if entry.drop_client or not entry.is_custom:
        group.client_cert_pem, group.sealed_client_key = "", None


def stage_pair(group: Group, entry: TrustEntry, draft: ConnectionDraft | None, *, actor: Actor) -> bool:
    """Keep an entered pair until the worker has compared the two, and ask it to; return whether there is one."""
    StagedClientPair.objects.filter(group=group).delete()
    sealed = None
    if entry.client_key is not None:
        sealed = seal_client_key(entry.client_key, group.pk)
    elif draft and draft.sealed_client_key is not None:
        sealed = bytes(draft.sealed_client_key)
    if not entry.is_custom or entry.drop_client or sealed is None:
        return False
    StagedClientPair.objects.create(
        group=group,
        cert_pem=entry.client_cert_pem,
        sealed_key=sealed,
        entered_at=clock.now(),
        entered_by=actor.name,
    )
    queue.enqueue(TAKE_CLIENT_PAIR, subject=group.subject, actor=actor)
    return True


def _told(entry: TrustEntry) -> str:
    if entry.drop_client or not entry.is_custom:
        return "none"
    return "entered anew" if entry.client_key is not None else "as before"
