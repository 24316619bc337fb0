"""What each page about a group, a connection or a key asks of a user's role in the group: for reading and for writing.

None means that the page has no such method (405). The rights that follow from roles are `hsm.rights.GRANTS`.
"""

from hsm.rights import Right

SEE, USE, MANAGE = Right.SEE, Right.USE, Right.MANAGE

# View name without its namespace: (right for GET, right for POST).
RIGHTS: dict[str, tuple[Right | None, Right | None]] = {
    "group": (SEE, None),
    "group-delete": (MANAGE, MANAGE),
    "group-edit": (MANAGE, MANAGE),
    "group-hsm": (SEE, None),
    "group-policy": (MANAGE, MANAGE),
    "group-scan": (MANAGE, MANAGE),
    "group-states": (SEE, None),
    "group-test": (None, USE),
    "group-trust": (MANAGE, MANAGE),
    "connection": (MANAGE, MANAGE),
    "connection-delete": (MANAGE, MANAGE),
    "connection-move": (None, MANAGE),
    "connection-new": (MANAGE, MANAGE),
    "connection-test": (None, USE),
    "members": (SEE, None),
    "member-add": (MANAGE, MANAGE),
    "member-remove": (MANAGE, MANAGE),
    "member-role": (MANAGE, MANAGE),
    "sync": (SEE, MANAGE),
    "sync-card": (SEE, None),
    "sync-interval": (MANAGE, MANAGE),
    "sync-report": (SEE, None),
    "tombstones": (SEE, None),
    "tombstone-import": (None, MANAGE),
    "object": (SEE, None),
    "object-activate": (MANAGE, MANAGE),
    "object-attributes": (SEE, None),
    "object-deactivate": (MANAGE, MANAGE),
    "object-delete": (MANAGE, MANAGE),
    "object-import": (MANAGE, MANAGE),
    "object-permissions": (MANAGE, MANAGE),
    "object-public-key": (SEE, None),
    "object-remove-private": (MANAGE, MANAGE),
    "object-rotate": (MANAGE, MANAGE),
    "object-tags": (None, MANAGE),
    "object-use": (USE, USE),
    "object-use-result": (USE, None),
}
# Not about one group: they list what the user may see, or belong to whoever asked for them.
OF_NO_GROUP = frozenset(
    {
        *("groups", "group-new", "objects", "objects-export", "objects-download", "object-new", "draft-test"),
        *("check", "checked", "report", "tokens", "binding", "rebind"),
    }
)
