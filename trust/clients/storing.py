"""Store the first certificate of a new name: client, certificate, and one use of the credential. All or none.

All the clients of one init file count in the row of one credential. On PostgreSQL a transaction keeps that row to
itself until its commit is on the disk, and enrolments would go one by one, each waiting for the disk alone. So this
transaction commits without waiting (synchronous_commit off for it alone), and `settle` then waits until everything that
was committed so far is on the disk, together with whoever else waits. Nothing is answered before `settle`. SQLite has
one writer at a time, and each commit is on the disk when it returns.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from trust.clients import hotsql
from trust.clients.hotsql import Insertion
from trust.errors import OvertakenError
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.credentials import Credential

Values = Mapping[str, Any]
"""By the names of a model's columns; what is left out has the model's default."""

_POSTGRESQL = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
used AS (
    UPDATE {credential} SET uses = uses + 1 FROM quick
    WHERE id = %s AND uses < most_uses AND withdrawn_at IS NULL AND expires_at > %s RETURNING id
),
client AS (INSERT INTO {client.table} ({client.columns}) SELECT {client.values} FROM used RETURNING id)
INSERT INTO {certificate.table} ({certificate.columns}) SELECT {certificate.values} FROM client
"""
# Its commit is synchronous, and the log of PostgreSQL is one: with its record everything before it is on the disk.
_SETTLE = "SELECT pg_logical_emit_message(true, 'keystead', '')"


def store_first(credential_id: UUID, client: Values, certificate: Values, now: datetime) -> None:
    """Store both rows and count the use; then call `settle`.

    Raises OvertakenError when the credential was used up or withdrawn meanwhile, and IntegrityError when the name was
    taken meanwhile. Then nothing was stored.
    """
    rows = hotsql.insertion(Client, tuple(client)), hotsql.insertion(Certificate, tuple(certificate))
    values = rows[0].parameters(client), rows[1].parameters(certificate)
    if not hotsql.is_postgresql():
        _store_in_turn(credential_id, list(zip(rows, values, strict=True)), now)
    elif hotsql.execute(_in_one(*rows), [credential_id, now, *values[0], *values[1]]) != 1:
        raise _overtaken()


def settle() -> None:
    """Return when everything that this process committed, or has seen of others, is on the disk."""
    if hotsql.is_postgresql():
        hotsql.execute(_SETTLE, ())


@transaction.atomic
def _store_in_turn(credential_id: UUID, rows: list[tuple[Insertion, list[Any]]], now: datetime) -> None:
    for row, values in rows:
        hotsql.execute(f"INSERT INTO {row.table} ({row.columns}) VALUES ({row.values})", values)  # noqa: S608 - our names
    valid = Credential.objects.filter(uses__lt=F("most_uses"), withdrawn_at=None, expires_at__gt=now)
    if not valid.filter(pk=credential_id).update(uses=F("uses") + 1):
        raise _overtaken()


def _overtaken() -> OvertakenError:
    return OvertakenError("The enrolment credential was used up or withdrawn meanwhile.")


@cache
def _in_one(client: Insertion, certificate: Insertion) -> str:
    return _POSTGRESQL.format(credential=Credential._meta.db_table, client=client, certificate=certificate)
