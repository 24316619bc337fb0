"""The part of an archive that stands in clear: what it is, how it opens, and what it does not contain."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import IO, Any, Self

from console.lib.digest import canonical_json, timestamp
from console.lib.errors import InvalidError
from keys.backup.stream import PREFIX_BYTES, Cost

MAGIC = b"keystead-backup 1\n"
MAX_BYTES = 1024 * 1024
SALT_BYTES = 16


class Label(StrEnum):
    """What a backup is for (KEY-28, KEY-29)."""

    MANUAL = "manual"
    PRE_REVOCATION = "pre-revocation"
    POST_REVOCATION = "post-revocation"


@dataclass(frozen=True)
class Header:
    """`created_at` is ISO 8601 in UTC. `not_contained` names, in words, keys that live on HSMs and other gaps."""

    backup_id: str
    label: Label
    server: str
    created_at: str
    roots: tuple[str, ...]
    not_contained: tuple[str, ...]
    migrations: dict[str, str]
    cost: Cost = field(default_factory=Cost)
    salt: bytes = field(default_factory=lambda: os.urandom(SALT_BYTES))
    prefix: bytes = field(default_factory=lambda: os.urandom(PREFIX_BYTES))

    @property
    def line(self) -> bytes:
        """The header as it stands in the file: one line of canonical JSON."""
        fields = asdict(self) | {"salt": self.salt.hex(), "prefix": self.prefix.hex()}
        return canonical_json(fields) + b"\n"

    @property
    def made_at(self) -> datetime:
        """`created_at` as a time."""
        return datetime.fromisoformat(self.created_at)

    @classmethod
    def read(cls, file: IO[bytes]) -> Self:
        """Return the header at the beginning of an archive; raises InvalidError for any other file."""
        if file.readline(len(MAGIC)) != MAGIC:
            raise InvalidError("This file is no Keystead backup of a known version.", code="no-backup")
        line = file.readline(MAX_BYTES)
        try:
            return cls._parse(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidError("The header of this backup is damaged.", code="no-backup") from error

    @classmethod
    def _parse(cls, fields: dict[str, Any]) -> Self:
        return cls(
            backup_id=fields["backup_id"],
            label=Label(fields["label"]),
            server=fields["server"],
            created_at=fields["created_at"],
            roots=tuple(fields["roots"]),
            not_contained=tuple(fields["not_contained"]),
            migrations=dict(fields["migrations"]),
            cost=Cost(**fields["cost"]),
            salt=bytes.fromhex(fields["salt"]),
            prefix=bytes.fromhex(fields["prefix"]),
        )


def moment(now: datetime) -> str:
    """Return a time as the header spells it."""
    return timestamp(now)
