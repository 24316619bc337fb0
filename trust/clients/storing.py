"""Store the first certificate of a new name: client, certificate, and one use of the credential. All or none.

All the clients of one init file count in the row of one credential. On PostgreSQL a transaction keeps that row to
itself until its commit is on the disk, and enrolments would go one by one, each waiting for the disk alone. So this
transaction commits without waiting (synchronous_commit off for it alone, which loses nothing but time), and `settle`
then waits until everything that was committed so far is on the disk, together with whoever else waits. Nothing is
answered before `settle`. SQLite has one writer at a time, and each commit is on the disk when it returns.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import F

from trust.errors import OvertakenError
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.credentials import Credential

Values = Mapping[str, object]
"""By the names of a model's columns; what is left out has the model's default."""

_POSTGRESQL = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
used AS (
    UPDATE {credential} SET uses = uses + 1 FROM quick
    WHERE id = %s AND uses < most_uses AND withdrawn_at IS NULL AND expires_at > %s RETURNING id
),
client AS (INSERT INTO {client} ({client_columns}) SELECT {client_values} FROM used RETURNING id)
INSERT INTO {certificate} ({certificate_columns}) SELECT {certificate_values} FROM client
"""
# Its commit is synchronous, and the log of PostgreSQL is one: with its record everything before it is on the disk.
_SETTLE = "SELECT pg_logical_emit_message(true, 'keystead', '')"


def store_first(credential_id: UUID, client: Values, certificate: Values, now: datetime) -> None:
    """Store both rows and count the use; then call `settle`.

    Raises OvertakenError when the credential was used up or withdrawn meanwhile, and IntegrityError when the name was
    taken meanwhile. Then nothing was stored.
    """
    if connection.vendor != "postgresql":
        _store_in_turn(credential_id, client, certificate, now)
        return
    parameters = [credential_id, now, *_values(Client, client), *_values(Certificate, certificate)]
    with connection.cursor() as cursor:
        cursor.execute(_in_one(), parameters)
        if cursor.rowcount != 1:
            raise _overtaken()


def settle() -> None:
    """Return when everything that this process committed, or has seen of others, is on the disk."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE)


@transaction.atomic
def _store_in_turn(credential_id: UUID, client: Values, certificate: Values, now: datetime) -> None:
    with connection.cursor() as cursor:
        for model, given in ((Client, client), (Certificate, certificate)):
            cursor.execute(_insertion(model), _values(model, given))
    valid = Credential.objects.filter(uses__lt=F("most_uses"), withdrawn_at=None, expires_at__gt=now)
    if not valid.filter(pk=credential_id).update(uses=F("uses") + 1):
        raise _overtaken()


def _overtaken() -> OvertakenError:
    return OvertakenError("The enrolment credential was used up or withdrawn meanwhile.")


@cache
def _in_one() -> str:
    return _POSTGRESQL.format(
        credential=Credential._meta.db_table,
        client=Client._meta.db_table,
        client_columns=_columns(Client),
        client_values=_placeholders(Client),
        certificate=Certificate._meta.db_table,
        certificate_columns=_columns(Certificate),
        certificate_values=_placeholders(Certificate),
    )


@cache
def _insertion(model: type[models.Model]) -> str:
    return f"INSERT INTO {model._meta.db_table} ({_columns(model)}) VALUES ({_placeholders(model)})"  # noqa: S608 - names of our own


def _columns(model: type[models.Model]) -> str:
    return ", ".join(f'"{field.column}"' for field in _fields(model))


def _placeholders(model: type[models.Model]) -> str:
    return ", ".join("%s" for _ in _fields(model))


@cache
def _fields(model: type[models.Model]) -> "tuple[models.Field[Any, Any], ...]":
    """Return what is written: every column but a number that the database gives."""
    return tuple(field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField))


@cache
def _default(field: "models.Field[Any, Any]") -> Any:
    return field.get_db_prep_save(field.get_default(), connection)


def _values(model: type[models.Model], given: Values) -> list[Any]:
    return [
        field.get_db_prep_save(given[field.attname], connection) if field.attname in given else _default(field)
        for field in _fields(model)
    ]
