"""Key Scan: which of the keys that a sync finds, and that the group does not know, become virtual keys (POL-14).

A rule is a small object with one method; `All` and `AnyOf` combine them. Keys that the group knows already are no
matter of a rule: they stay managed, whatever the option is now (POL-18). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hsm.device.objects import KeyFamily, ObjectRecord

Address = tuple[KeyFamily, bytes]  # class family and CKA_ID: what addresses one key of a token


class ScanOption(StrEnum):
    """The values of `hsm.models.groups.Scan`."""

    ALL = "all"
    OWN = "own"


class Rule(Protocol):
    """One condition for the import of a key."""

    def takes(self, record: ObjectRecord) -> bool:
        """Say whether the key is imported."""
        ...


@dataclass(frozen=True)
class Everything:
    """Every key of the slot, whoever made it (POL-15, POL-20)."""

    def takes(self, record: ObjectRecord) -> bool:  # noqa: ARG002 - the one rule that needs no look at the key
        """Take it."""
        return True


@dataclass(frozen=True)
class OneOf:
    """Keys at certain addresses: those that the console made in this group, or that a user asked for."""

    addresses: frozenset[Address]

    def takes(self, record: ObjectRecord) -> bool:
        """Take a key at one of the addresses."""
        return address(record) in self.addresses


@dataclass(frozen=True)
class NoneOf:
    """Keys anywhere but at certain addresses: there is nothing to say about these now."""

    addresses: frozenset[Address]

    def takes(self, record: ObjectRecord) -> bool:
        """Take a key at any other address."""
        return address(record) not in self.addresses


@dataclass(frozen=True)
class AnyOf:
    """What one of the rules takes."""

    rules: Sequence[Rule]

    def takes(self, record: ObjectRecord) -> bool:
        """Take what one rule takes."""
        return any(rule.takes(record) for rule in self.rules)


@dataclass(frozen=True)
class AllOf:
    """What all of the rules take."""

    rules: Sequence[Rule]

    def takes(self, record: ObjectRecord) -> bool:
        """Take what every rule takes."""
        return all(rule.takes(record) for rule in self.rules)


def address(record: ObjectRecord) -> Address:
    """Return what addresses the key."""
    return record.family, record.key_id


def rule(option: ScanOption, *, own: frozenset[Address], asked_for: frozenset[Address]) -> Rule:
    """Return the rule of a group.

    `own` are the addresses that the console chose for keys of this group (POL-17, POL-19); `asked_for` are those with
    *Import again*, which hold under either option: a person decided.
    """
    if option is ScanOption.ALL:
        return Everything()
    return AnyOf((OneOf(own), OneOf(asked_for)))
