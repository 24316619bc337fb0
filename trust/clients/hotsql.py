"""SQL of the hot path, as cheap as the driver allows; the ORM goes on for everything else.

On PostgreSQL a statement is prepared once for each connection and its values are bound by the server: that takes a
third of the time of building the text with the values anew, and parsing and planning it anew. SQLite's driver does so
by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from django.db import connection, models


def is_postgresql() -> bool:
    """Tell which of the two databases this is."""
    return connection.vendor == "postgresql"


def first_row(sql: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return the first row of a query. Raises django.db.Error, as the ORM does."""
    if not is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
    with connection.wrap_database_errors, psycopg.Cursor(_prepared()) as prepared:
        return prepared.execute(sql, parameters, prepare=True).fetchone()


def execute(sql: str, parameters: Sequence[Any]) -> int:
    """Return how many rows a statement wrote. Raises django.db.Error, as the ORM does."""
    if not is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return int(cursor.rowcount)
    with connection.wrap_database_errors, psycopg.Cursor(_prepared()) as prepared:
        return prepared.execute(sql, parameters, prepare=True).rowcount


def _prepared() -> "psycopg.Connection[Any]":
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    if found.prepare_threshold is None:  # Django's own choice: its statements are seldom the same twice
        found.prepare_threshold = 5
    return found


@dataclass(frozen=True)
class Insertion:
    """An INSERT of one row of a model. What is not given has the model's default, which is part of the text."""

    table: str
    columns: str
    values: str
    fields: "tuple[models.Field[Any, Any], ...]"

    def parameters(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values for the placeholders; all of them are there, none is None."""
        if is_postgresql():
            return [given[field.attname] for field in self.fields]
        return [field.get_db_prep_save(given[field.attname], connection) for field in self.fields]


@cache
def insertion(model: type[models.Model], given: tuple[str, ...]) -> Insertion:
    """Return the INSERT of a model for the values named `given` (names of columns, as in `attname`)."""
    columns, values, fields = [], [], []
    for field in model._meta.concrete_fields:
        if isinstance(field, models.AutoField):
            continue
        columns.append(f'"{field.column}"')
        if field.attname in given:
            values.append("%s")
            fields.append(field)
        else:
            values.append(_literal(field.get_db_prep_save(field.get_default(), connection)))
    if len(fields) != len(given):
        raise ValueError(f"{model.__name__} has no such columns: {given}")
    return Insertion(model._meta.db_table, ", ".join(columns), ", ".join(values), tuple(fields))


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int():
            return str(value)
    text = str(value)
    if not set("'\\%").isdisjoint(text):
        raise ValueError(f"A default that SQL would have to quote: {text}")
    return f"'{text}'"
