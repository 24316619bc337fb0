"""What is recorded about tokens."""

from enum import StrEnum


class Action(StrEnum):
    """Names are for ever: the log keeps them."""

    CHECK_REQUESTED = "hsm.check.requested"
    CHECKED = "hsm.check.finished"
    TOKENS_REQUESTED = "hsm.tokens.requested"
    BOUND = "hsm.binding.created"
    PIN_FOLLOWED = "hsm.binding.pin-followed"
    PIN_REJECTED = "hsm.pin-rejected"
    FORGOTTEN = "hsm.binding.forgotten"
    RELEASED = "hsm.binding.released"
    REBIND_REQUESTED = "hsm.rebind.requested"
    REBOUND = "hsm.binding.rebound"
    GROUP_CREATED = "hsm.group.created"
    GROUP_CHANGED = "hsm.group.changed"
    GROUP_TRUST_CHANGED = "hsm.group.trust-changed"
    GROUP_POLICY_CHANGED = "hsm.group.policy-changed"
    GROUP_SCAN_CHANGED = "hsm.group.scan-changed"
    GROUP_DELETED = "hsm.group.deleted"
    CLIENT_PAIR_TAKEN = "hsm.group.client-certificate-taken"
    CONNECTION_ADDED = "hsm.connection.added"
    CONNECTION_CHANGED = "hsm.connection.changed"
    CONNECTION_MOVED = "hsm.connection.moved"
    CONNECTION_DELETED = "hsm.connection.deleted"
    CONNECTION_TEST_REQUESTED = "hsm.connection.test-requested"
    CONNECTION_LOST = "hsm.connection.lost"
    CONNECTION_BACK = "hsm.connection.back"
    CONNECTION_PIN_REJECTED = "hsm.connection.pin-rejected"
    MEMBER_ADDED = "hsm.group.member-added"
    MEMBER_CHANGED = "hsm.group.member-role-changed"
    MEMBER_REMOVED = "hsm.group.member-removed"
    KEY_USE_REQUESTED = "hsm.object.use-requested"
    KEY_USED = "hsm.object.used"
    SYNC_REQUESTED = "hsm.group.sync-requested"
    SYNCED = "hsm.group.synced"
    SYNC_INTERVAL_CHANGED = "hsm.group.sync-interval-changed"
    WANTED_AGAIN = "hsm.group.import-again"
    OBJECTS_EXPORTED = "hsm.objects.exported"
    OBJECTS_DOWNLOADED = "hsm.objects.downloaded"
    OBJECT_GENERATE_REQUESTED = "hsm.object.generate-requested"
    OBJECT_GENERATED = "hsm.object.generated"
    OBJECT_IMPORT_REQUESTED = "hsm.object.import-requested"
    OBJECT_IMPORTED = "hsm.object.imported"
    OBJECT_ROTATE_REQUESTED = "hsm.object.rotate-requested"
    OBJECT_ROTATED = "hsm.object.rotated"
    OBJECT_PERMIT_REQUESTED = "hsm.object.permissions-requested"
    OBJECT_PERMITTED = "hsm.object.permissions-changed"
    OBJECT_DEACTIVATED = "hsm.object.deactivated"
    OBJECT_ACTIVATED = "hsm.object.activated"
    OBJECT_PRIVATE_REQUESTED = "hsm.object.private-removal-requested"
    OBJECT_PRIVATE_REMOVED = "hsm.object.private-removed"
    OBJECT_DELETE_REQUESTED = "hsm.object.delete-requested"
    OBJECT_DELETED = "hsm.object.deleted"
    OBJECT_TAGGED = "hsm.object.tagged"
    OBJECT_UNTAGGED = "hsm.object.untagged"
    LATE_OBJECT_DESTROYED = "hsm.object.late-key-destroyed"


LABELS = {
    Action.CHECK_REQUESTED: "Check of the HSM integration requested",
    Action.CHECKED: "HSM integration checked",
    Action.TOKENS_REQUESTED: "List of tokens requested",
    Action.BOUND: "Token bound",
    Action.PIN_FOLLOWED: "New PIN of a token taken over",
    Action.PIN_REJECTED: "PIN rejected by a token",
    Action.FORGOTTEN: "Token forgotten",
    Action.RELEASED: "Token released: no key lives on it",
    Action.REBIND_REQUESTED: "Re-binding of keys requested",
    Action.REBOUND: "Keys re-bound to a token",
    Action.GROUP_CREATED: "Group created",
    Action.GROUP_CHANGED: "Group changed",
    Action.GROUP_TRUST_CHANGED: "Certificates of a group changed",
    Action.GROUP_POLICY_CHANGED: "Key Management Policy of a group changed",
    Action.GROUP_SCAN_CHANGED: "Key Scan of a group changed",
    Action.GROUP_DELETED: "Group deleted",
    Action.CLIENT_PAIR_TAKEN: "Client certificate of a group checked",
    Action.CONNECTION_ADDED: "Connection added",
    Action.CONNECTION_CHANGED: "Connection changed",
    Action.CONNECTION_MOVED: "Priority of a connection changed",
    Action.CONNECTION_DELETED: "Connection deleted",
    Action.CONNECTION_TEST_REQUESTED: "Test of a connection requested",
    Action.CONNECTION_LOST: "Connection lost",
    Action.CONNECTION_BACK: "Connection works again",
    Action.CONNECTION_PIN_REJECTED: "PIN of a connection rejected",
    Action.MEMBER_ADDED: "Member added to a group",
    Action.MEMBER_CHANGED: "Role of a group's member changed",
    Action.MEMBER_REMOVED: "Member removed from a group",
    Action.KEY_USE_REQUESTED: "Use of a key requested",
    Action.KEY_USED: "Key used",
    Action.SYNC_REQUESTED: "Sync of keys requested",
    Action.SYNCED: "Keys synced",
    Action.SYNC_INTERVAL_CHANGED: "Sync interval of a group changed",
    Action.WANTED_AGAIN: "Import of deleted keys asked for again",
    Action.OBJECTS_EXPORTED: "Security objects exported",
    Action.OBJECTS_DOWNLOADED: "Export of security objects downloaded",
    Action.OBJECT_GENERATE_REQUESTED: "Generation of a key requested",
    Action.OBJECT_GENERATED: "Key generated",
    Action.OBJECT_IMPORT_REQUESTED: "Import of a key requested",
    Action.OBJECT_IMPORTED: "Key imported",
    Action.OBJECT_ROTATE_REQUESTED: "Rotation of a key requested",
    Action.OBJECT_ROTATED: "Key rotated",
    Action.OBJECT_PERMIT_REQUESTED: "Change of a key's permissions requested",
    Action.OBJECT_PERMITTED: "Permissions of a key changed",
    Action.OBJECT_DEACTIVATED: "Key deactivated",
    Action.OBJECT_ACTIVATED: "Key activated again",
    Action.OBJECT_PRIVATE_REQUESTED: "Removal of a private component requested",
    Action.OBJECT_PRIVATE_REMOVED: "Private component removed",
    Action.OBJECT_DELETE_REQUESTED: "Deletion of a security object requested",
    Action.OBJECT_DELETED: "Security object deleted",
    Action.OBJECT_TAGGED: "Custom attribute set",
    Action.OBJECT_UNTAGGED: "Custom attribute removed",
    Action.LATE_OBJECT_DESTROYED: "Late key of a failed creation destroyed",
}
