"""Change a group: title and description, Key Management Policy, Key Scan."""

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.lib.digest import canonical_json, sha256_hex
from console.lib.errors import InvalidError
from hsm.actions import Action
from hsm.connections.editing import lock
from hsm.connections.entering import changed_meanwhile
from hsm.groups.creation import title_is_free
from hsm.models.groups import Group, HsmType, Policy, Scan
from hsm.refusals import recorded


def version(group: Group) -> str:
    """Return a mark of what the form shows; another one means that somebody changed it."""
    return sha256_hex(canonical_json([group.title, group.description, group.hsm_type]))[:16]


def edit(group: Group, title: str, description: str, hsm_type: str, *, seen: str, actor: Actor) -> Group:
    """Change title, description and HSM type; `seen` is the version that the form showed. Raises ConflictError."""
    with recorded(Action.GROUP_CHANGED, group.subject, actor=actor), title_is_free(title), transaction.atomic():
        row = lock(group)
        if version(row) != seen:
            raise changed_meanwhile("this group")
        details = {"title was": row.title, "description changed": row.description != description}
        row.title, row.description = title, description
        if row.is_hsm:
            row.hsm_type = HsmType(hsm_type)
        row.save(update_fields=["title", "description", "hsm_type"])
        log.append(Action.GROUP_CHANGED, row.subject, actor=actor, details=details)
    return row


def set_policy(group: Group, policy: str, *, seen: str, actor: Actor) -> None:
    """Switch the Key Management Policy (POL-04); `seen` is what the form showed. Raises ConflictError."""
    _set(group, "policy", Policy, policy, seen=seen, action=Action.GROUP_POLICY_CHANGED, actor=actor)


def set_scan(group: Group, scan: str, *, seen: str, actor: Actor) -> None:
    """Choose which keys a sync imports (POL-14); keys that were imported stay (POL-18). Raises ConflictError."""
    _set(group, "scan", Scan, scan, seen=seen, action=Action.GROUP_SCAN_CHANGED, actor=actor)


def _set(
    group: Group, name: str, choices: type[Policy] | type[Scan], value: str, *, seen: str, action: Action, actor: Actor
) -> None:
    if value not in choices.values or not group.is_hsm:
        raise InvalidError("Choose one of the two options. Nothing was changed.", field=name)
    with recorded(action, group.subject, actor=actor), transaction.atomic():
        row = lock(group)
        before = getattr(row, name)
        if before != seen:
            raise changed_meanwhile("this option")
        if before != value:
            Group.objects.filter(pk=row.pk).update(**{name: value})
            details = {"from": choices(before).label, "to": choices(value).label}
            log.append(action, row.subject, actor=actor, details=details)
