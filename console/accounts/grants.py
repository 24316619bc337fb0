"""What each role allows, as data in code: no row, form or setting can weaken a role."""

from collections.abc import Iterable
from enum import StrEnum

from console.lib.capability import Capability


class RoleKey(StrEnum):
    """The reserved roles, which exist from the start (ROL-03)."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    QUESTION_USER = "question-user"


EVERYBODY = frozenset({Capability.PUBLIC})
SIGNED_IN = EVERYBODY | {Capability.SIGNED_IN}

ROLE_NAMES = {
    RoleKey.ADMINISTRATOR: "Administrator",
    RoleKey.AUDITOR: "Auditor",
    RoleKey.QUESTION_USER: "Question user",
}

ROLE_DESCRIPTIONS = {
    RoleKey.ADMINISTRATOR: (
        "Manages keys, the HSM integration, clients, settings, users and jobs. At least one active user has it."
    ),
    RoleKey.AUDITOR: "Sees everything but secrets, and changes nothing.",
    RoleKey.QUESTION_USER: "Asks clients questions and sees what they answer: enough to verify an HSM integration.",
}

GRANTS = {
    RoleKey.ADMINISTRATOR: frozenset(Capability),
    RoleKey.AUDITOR: SIGNED_IN | {Capability.READ, Capability.SEE_QUESTIONS},
    RoleKey.QUESTION_USER: SIGNED_IN | {Capability.ASK_QUESTIONS, Capability.SEE_QUESTIONS},
}


def granted(role_keys: Iterable[str]) -> frozenset[Capability]:
    """Return what a signed-in user with these roles may do; a key that is unknown grants nothing."""
    known = [GRANTS[RoleKey(key)] for key in role_keys if key in GRANTS]
    return SIGNED_IN.union(*known)
