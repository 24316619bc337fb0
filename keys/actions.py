"""Names of the entries that this app writes into the activity log."""

from enum import StrEnum


class Action(StrEnum):
    """What was done to a key."""

    ROOT_CREATED = "keys.root.created"
    ROOT_REQUESTED = "keys.root.requested"
    ROOT_RECONCILED = "keys.root.reconciled"
    ROOT_CROSS_CERTIFIED = "keys.root.cross-certified"
    ROOT_REVOCATION_REQUESTED = "keys.root.revocation-requested"
    ROOT_REVOCATION_SCHEDULED = "keys.root.revocation-scheduled"
    ROOT_REVOCATION_CANCELLED = "keys.root.revocation-cancelled"
    ROOT_REVOKED = "keys.root.revoked"
    ROOT_DESTROYED = "keys.root.destroyed"
    SUBORDINATE_ROTATION_REQUESTED = "keys.subordinate.rotation-requested"
    SUBORDINATE_CREATED = "keys.subordinate.created"
    SUBORDINATE_DESTROYED = "keys.subordinate.destroyed"
    VALIDITY_RAISED = "keys.subordinate.validity-raised"
    LOG_KEY_CREATED = "keys.log-key.created"
    VERIFIED = "keys.verified"


LABELS: dict[str, str] = {
    Action.ROOT_CREATED: "Root key created",
    Action.ROOT_REQUESTED: "Root key requested",
    Action.ROOT_RECONCILED: "Unsettled root key looked for on its device",
    Action.ROOT_CROSS_CERTIFIED: "Root key cross-certified",
    Action.ROOT_REVOCATION_REQUESTED: "Revocation of a root key requested",
    Action.ROOT_REVOCATION_SCHEDULED: "Revocation of a root key scheduled",
    Action.ROOT_REVOCATION_CANCELLED: "Scheduled revocation cancelled",
    Action.ROOT_REVOKED: "Root key revoked",
    Action.ROOT_DESTROYED: "Private key of a root destroyed",
    Action.SUBORDINATE_ROTATION_REQUESTED: "New subordinate keys requested",
    Action.SUBORDINATE_CREATED: "Subordinate key created",
    Action.SUBORDINATE_DESTROYED: "Private key of a subordinate destroyed",
    Action.VALIDITY_RAISED: "Validity raised above the renewal window",
    Action.LOG_KEY_CREATED: "Key of the activity log created",
    Action.VERIFIED: "Keys verified",
}
