"""The Key Management Policy as rules: whether a change reaches the key itself, and what is said before it is made.

Pure. A software group has no second place in which a key could stay: what is done to its key is done.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hsm.models.groups import Group, Policy


class Change(StrEnum):
    """What can be done to a security object."""

    GENERATE = "generate"
    IMPORT = "import"
    ROTATE = "rotate"
    PERMISSIONS = "change the permissions of"
    DEACTIVATE = "deactivate"
    REMOVE_PRIVATE = "remove the private component of"
    DELETE = "delete"


class Rule(Protocol):
    """One reason for which a change reaches the key itself."""

    def holds(self, group: Group) -> bool:
        """Say whether the reason is given in this group."""
        ...


@dataclass(frozen=True)
class Fixed:
    """The same in every group."""

    answer: bool

    def holds(self, _group: Group) -> bool:
        """Say it."""
        return self.answer


class OwnMaterial:
    """The group holds the material itself (AMB-17)."""

    def holds(self, group: Group) -> bool:
        """Say whether it does."""
        return not group.is_hsm


class PolicyApplies:
    """The policy of the group is to apply changes (POL-04)."""

    def holds(self, group: Group) -> bool:
        """Say whether it is."""
        return group.policy == Policy.APPLY


@dataclass(frozen=True)
class AnyOf:
    """One of several rules."""

    rules: tuple[Rule, ...]

    def holds(self, group: Group) -> bool:
        """Say whether one of them holds."""
        return any(rule.holds(group) for rule in self.rules)


ALWAYS, NEVER = Fixed(True), Fixed(False)  # noqa: FBT003 - the one value is its meaning
BY_POLICY = AnyOf((OwnMaterial(), PolicyApplies()))

RULES: dict[Change, Rule] = {
    Change.GENERATE: ALWAYS,  # POL-06, POL-10
    Change.IMPORT: ALWAYS,
    Change.ROTATE: ALWAYS,  # SOB-26
    Change.PERMISSIONS: BY_POLICY,  # POL-05, POL-09
    Change.DEACTIVATE: NEVER,  # SOB-24
    Change.REMOVE_PRIVATE: BY_POLICY,  # SOB-28
    Change.DELETE: BY_POLICY,  # SOB-25
}

# (change, whether the group is an HSM group, whether the change reaches the key) -> what is said beforehand.
EFFECTS: dict[tuple[Change, bool, bool], str] = {
    (Change.GENERATE, True, True): "The key is made in the HSM at once, with this name and these permissions, and "
    "never leaves it. The console keeps a virtual key that points to it.",
    (Change.GENERATE, False, True): "The key is made in the encrypted key store of this server, pki.db.",
    (Change.IMPORT, True, True): "The key is put into the HSM at once, with this name and these permissions, marked "
    "as not extractable. The console keeps a virtual key that points to it, and no copy of the material.",
    (Change.IMPORT, False, True): "The key is put into the encrypted key store of this server, pki.db.",
    (Change.ROTATE, True, True): "Another key of the same type, size and permissions is made in the same HSM and takes "
    "over this name. This key stays in the HSM, under any policy: it is renamed with today's date, marked as rotated, "
    "and still decrypts, verifies and unwraps.",
    (Change.ROTATE, False, True): "Another key of the same type, size and permissions is made in pki.db and takes over "
    "this name. This key stays: it is renamed with today's date, marked as rotated, and still decrypts, verifies and "
    "unwraps.",
    (Change.PERMISSIONS, True, True): "The policy of the group is to apply changes: the attributes of the key in the "
    "HSM are changed first, then the virtual key. When the HSM refuses, nothing changes.",
    (Change.PERMISSIONS, True, False): "The policy of the group is not to apply changes: only the virtual key "
    "changes, and the key in the HSM keeps its attributes.",
    (Change.PERMISSIONS, False, True): "The permissions of the key in pki.db are changed.",
    (Change.DEACTIVATE, True, False): "Only the virtual key is deactivated, under any policy: its use is refused, "
    "and the key in the HSM is not changed. It can be activated again.",
    (Change.DEACTIVATE, False, False): "The use of the key is refused from then on; the key itself is not changed. "
    "It can be activated again.",
    (Change.REMOVE_PRIVATE, True, True): "The policy of the group is to apply changes: the private key object in the "
    "HSM is destroyed for good. The public key object stays.",
    (Change.REMOVE_PRIVATE, True, False): "The policy of the group is not to apply changes: only the virtual key "
    "loses its private component. The private key object stays in the HSM.",
    (Change.REMOVE_PRIVATE, False, True): "The private key is destroyed in pki.db for good. The public key stays.",
    (Change.DELETE, True, True): "The policy of the group is to apply changes: the key in the HSM is destroyed for "
    "good, then its virtual key is deleted.",
    (Change.DELETE, True, False): "The policy of the group is not to apply changes: only the virtual key is deleted. "
    "The key stays in the HSM, and a sync does not import it again unless you ask for it.",
    (Change.DELETE, False, True): "The key is destroyed in pki.db for good.",
}


def applies(group: Group, change: Change) -> bool:
    """Say whether a change is made to the key itself, in the HSM or in pki.db, and not to its virtual key alone."""
    return RULES[change].holds(group)


def effect(group: Group, change: Change) -> str:
    """Return what the change does now, in words, to be said before it is made."""
    return EFFECTS[change, group.is_hsm, applies(group, change)]
