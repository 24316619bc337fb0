"""Django finds the models of this app here; everything else imports them from their own module."""

from hsm.models.drafts import ConnectionDraft, StagedClientPair
from hsm.models.groups import Connection, Group, GroupMember
from hsm.models.objects import KeyMaterial, KeyUse, ObjectTag, SecurityObject, Tombstone
from hsm.models.tokens import PinTrial, SeenToken, TokenBinding, TokenCapability

__all__ = [
    "Connection",
    "ConnectionDraft",
    "Group",
    "GroupMember",
    "KeyMaterial",
    "KeyUse",
    "ObjectTag",
    "PinTrial",
    "SecurityObject",
    "SeenToken",
    "StagedClientPair",
    "TokenBinding",
    "TokenCapability",
    "Tombstone",
]
