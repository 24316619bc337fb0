"""What each role allows, as data in code: no row, form or setting can weaken a role."""

from collections.abc import Iterable
from enum import StrEnum

from console.lib.capability import Capability


class RoleKey(StrEnum):
    """The reserved roles, which exist from the start (ROL-03)."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


EVERYBODY = frozenset({Capability.PUBLIC})
SIGNED_IN = EVERYBODY | {Capability.SIGNED_IN}

ROLE_NAMES = {RoleKey.ADMINISTRATOR: "Administrator", RoleKey.AUDITOR: "Auditor"}

ROLE_DESCRIPTIONS = {
    RoleKey.ADMINISTRATOR: (
        "Manages keys, the HSM integration, settings, users and jobs. At least one active user has it."
    ),
    RoleKey.AUDITOR: "Sees everything but secrets, and changes nothing.",
}

GRANTS = {
    RoleKey.ADMINISTRATOR: frozenset(Capability),
    RoleKey.AUDITOR: SIGNED_IN | {Capability.READ},
}


def granted(role_keys: Iterable[str]) -> frozenset[Capability]:
    """Return what a signed-in user with these roles may do; a key that is unknown grants nothing."""
    known = [GRANTS[RoleKey(key)] for key in role_keys if key in GRANTS]
    return SIGNED_IN.union(*known)
