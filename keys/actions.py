"""Names of the entries that this app writes into the activity log."""

from enum import StrEnum


class Action(StrEnum):
    """What was done to a key."""

    ROOT_CREATED = "keys.root.created"
    ROOT_REQUESTED = "keys.root.requested"
    LATE_KEY_DESTROYED = "keys.late-key-destroyed"
    ROOT_CROSS_CERTIFIED = "keys.root.cross-certified"
    ROOT_REVOCATION_REQUESTED = "keys.root.revocation-requested"
    ROOT_REVOCATION_SCHEDULED = "keys.root.revocation-scheduled"
    ROOT_REVOCATION_CANCELLED = "keys.root.revocation-cancelled"
    ROOT_REVOKED = "keys.root.revoked"
    ROOT_DESTROYED = "keys.root.destroyed"
    SUBORDINATE_ROTATION_REQUESTED = "keys.subordinate.rotation-requested"
    SUBORDINATE_CREATED = "keys.subordinate.created"
    SUBORDINATE_RETIRED = "keys.subordinate.retired"
    SUBORDINATE_DESTROYED = "keys.subordinate.destroyed"
    VALIDITY_RAISED = "keys.subordinate.validity-raised"
    LOG_KEY_CREATED = "keys.log-key.created"
    VERIFIED = "keys.verified"
    STORE_PASSWORD_SET = "keys.store.password-set"  # noqa: S105 - the name of an act
    STORE_PASSWORD_CHANGED = "keys.store.password-changed"  # noqa: S105
    STORE_PASSWORD_REMOVED = "keys.store.password-removed"  # noqa: S105
    BACKUP_REQUESTED = "keys.backup.requested"
    BACKUP_MADE = "keys.backup.made"
    BACKUP_RESTORED = "keys.backup.restored"
    SEALING_ROTATED = "keys.sealing.rotated"
    UPGRADED = "keys.upgraded-from-7.3"


LABELS: dict[str, str] = {
    Action.ROOT_CREATED: "Root key created",
    Action.ROOT_REQUESTED: "Root key requested",
    Action.LATE_KEY_DESTROYED: "Key that came to light late destroyed",
    Action.ROOT_CROSS_CERTIFIED: "Root key cross-certified",
    Action.ROOT_REVOCATION_REQUESTED: "Revocation of a root key requested",
    Action.ROOT_REVOCATION_SCHEDULED: "Revocation of a root key scheduled",
    Action.ROOT_REVOCATION_CANCELLED: "Scheduled revocation cancelled",
    Action.ROOT_REVOKED: "Root key revoked",
    Action.ROOT_DESTROYED: "Private key of a root destroyed",
    Action.SUBORDINATE_ROTATION_REQUESTED: "New subordinate keys requested",
    Action.SUBORDINATE_CREATED: "Subordinate key created",
    Action.SUBORDINATE_RETIRED: "Subordinate key retired",
    Action.SUBORDINATE_DESTROYED: "Private key of a subordinate destroyed",
    Action.VALIDITY_RAISED: "Validity raised above the renewal window",
    Action.LOG_KEY_CREATED: "Key of the activity log created",
    Action.VERIFIED: "Keys verified",
    Action.STORE_PASSWORD_SET: "Key store encrypted by a password",
    Action.STORE_PASSWORD_CHANGED: "Password of the key store changed",
    Action.STORE_PASSWORD_REMOVED: "Password of the key store removed",
    Action.BACKUP_REQUESTED: "Backup requested",
    Action.BACKUP_MADE: "Backup made",
    Action.BACKUP_RESTORED: "Server restored from a backup",
    Action.SEALING_ROTATED: "Sealing key replaced",
    Action.UPGRADED: "legacy-root taken over from 7.3",
}
