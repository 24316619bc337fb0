"""SQL of the hot path, as cheap as the driver allows; the ORM goes on for everything else.

On PostgreSQL a statement is prepared once for each connection and its values are bound by the server: building the text
with the values anew, and parsing and planning it anew, takes several times as long for both sides. The answer is waited
for by libpq itself, without the GIL, instead of by a loop of the driver. SQLite's driver prepares by itself; the
layers of Django above it take longer than it does.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import adapt
from psycopg.abc import Buffer, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

DONE = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})

Statements = dict[tuple[str, tuple[int, ...]], bytes]
_prepared: "WeakKeyDictionary[psycopg.Connection[Any], Statements]" = WeakKeyDictionary()
_PLACEHOLDER = re.compile("%s")


@cache
def is_postgresql() -> bool:
    """Tell which of the two databases this is."""
    return connection.vendor == "postgresql"


def first_row(sql: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return the first row of a query. Raises django.db.Error, as the ORM does."""
    if not is_postgresql():
        row: tuple[Any, ...] | None = _execute_sqlite(sql, parameters).fetchone()
        return row
    transformer, result = _execute_postgresql(sql, parameters)
    if not result.ntuples:
        return None
    transformer.set_pgresult(result)
    return transformer.load_row(0, tuple)


def execute(sql: str, parameters: Sequence[Any]) -> int:
    """Return how many rows a statement wrote. Raises django.db.Error, as the ORM does."""
    if not is_postgresql():
        return _execute_sqlite(sql, parameters).rowcount
    return _execute_postgresql(sql, parameters)[1].command_tuples or 0


def value(given: Any) -> Any:
    """Return what stands for a value among the parameters of a statement, as the ORM would write it."""
    if not is_postgresql():
        match given:
            case datetime():
                return connection.ops.adapt_datetimefield_value(given)
            case UUID():
                return given.hex
    return given


def _execute_sqlite(sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
    django = _django(sql)
    with django.wrap_database_errors:
        cursor: sqlite3.Cursor = django.connection.execute(_with_question_marks(sql), parameters)
    return cursor


@cache
def _with_question_marks(sql: str) -> str:
    return sql.replace("%s", "?")


def _django(sql: str) -> BaseDatabaseWrapper:
    """Return Django's end of this thread's connection, which is open, for one statement."""
    django = connections[DEFAULT_DB_ALIAS]
    django.ensure_connection()
    if django.queries_logged:
        django.queries_log.append({"sql": sql, "time": "0"})  # for whoever counts queries, as tests do
    return django


def _execute_postgresql(sql: str, parameters: Sequence[Any]) -> tuple[Transformer, PGresult]:
    """Run a statement on this thread's connection to PostgreSQL, prepared."""
    django = _django(sql)
    used: psycopg.Connection[Any] = django.connection
    with django.wrap_database_errors:
        if not used.autocommit:
            # The driver begins a transaction with the first statement of its own, which may be this one.
            used.execute("SELECT 1")
        transformer: Transformer = adapt.Transformer.from_context(used)
        values = transformer.dump_sequence(parameters, [adapt.PyFormat.AUTO] * len(parameters))
        types = transformer.types or ()
        statements = _prepared.setdefault(used, {})
        name = statements.get((sql, types))
        if name is None:
            name = f"keystead_{len(statements)}".encode()
            _check(used, used.pgconn.prepare(name, _numbered(sql), types))
            statements[sql, types] = name
        return transformer, _check(
            used, used.pgconn.exec_prepared(name, cast("Sequence[Buffer]", values), transformer.formats)
        )


def _check(used: "psycopg.Connection[Any]", result: PGresult) -> PGresult:
    """Return a result that is none of an error; raises psycopg.Error."""
    if result.status in DONE:
        return result
    if used.pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError(used.pgconn.get_error_message())
    raise error_from_result(result)


def _numbered(sql: str) -> bytes:
    """Return a statement with the placeholders of PostgreSQL for those of the driver."""
    number = count(1)
    return _PLACEHOLDER.sub(lambda _: f"${next(number)}", sql).encode()


@dataclass(frozen=True)
class Columns:
    """Columns of a model in a query by hand, and the way back from its rows. `text` stands after SELECT."""

    model: type[models.Model]
    names: tuple[str, ...]
    text: str
    converters: "tuple[tuple[int, Any, Any], ...]"

    def load(self, values: Sequence[Any]) -> Any:
        """Return the object of a row's part; what was not read is read when it is asked for."""
        if self.converters:
            values = list(values)
            for place, convert, expression in self.converters:
                values[place] = convert(values[place], expression, connection)
        return self.model.from_db(DEFAULT_DB_ALIAS, self.names, values)


@cache
def columns(model: type[models.Model], alias: str, only: tuple[str, ...] = ()) -> Columns:
    """Return the columns of a model, or those named (as in `attname`), of the table that the query calls `alias`."""
    fields = [field for field in model._meta.concrete_fields if not only or field.attname in only]
    return Columns(
        model,
        tuple(field.attname for field in fields),
        ", ".join(f'{alias}."{field.column}"' for field in fields),
        tuple((place, *one) for place, field in enumerate(fields) for one in _converters(field, alias)),
    )


def _converters(field: "models.Field[Any, Any]", alias: str) -> Iterator[tuple[Any, Any]]:
    """Yield how the ORM makes the field's value of what this database returns (nothing, for most on PostgreSQL)."""
    column = field.get_col(alias)
    for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
        yield convert, column


@dataclass(frozen=True)
class Insertion:
    """An INSERT of rows of a model. What is not given has the model's default, which is part of the text."""

    table: str
    columns: str
    selected: str
    names: tuple[str, ...]

    def sql(self, rows: int) -> str:
        """Return the statement; a WHERE may follow it.

        Defaults are not among the VALUES: there, PostgreSQL takes each for a text, whatever its column is.
        """
        row = f"({', '.join(['%s'] * len(self.names))})"
        given = ", ".join([row] * rows)
        return f"INSERT INTO {self.table} ({self.columns}) SELECT {self.selected} FROM (VALUES {given}) AS given"  # noqa: S608 - our names

    def parameters(self, rows: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Return the values for the placeholders; all of them are there, none is None."""
        return [value(given[name]) for given in rows for name in self.names]


@cache
def insertion(model: type[models.Model], given: tuple[str, ...]) -> Insertion:
    """Return the INSERT of a model for the values named `given` (names of columns, as in `attname`)."""
    columns, selected, names = [], [], []
    for field in model._meta.concrete_fields:
        if isinstance(field, models.AutoField):
            continue
        columns.append(f'"{field.column}"')
        if field.attname in given:
            names.append(field.attname)
            selected.append(f"column{len(names)}")  # so both databases call the columns of VALUES
        else:
            selected.append(_literal(field.get_db_prep_save(field.get_default(), connection)))
    if len(names) != len(given):
        raise ValueError(f"{model.__name__} has no such columns: {given}")
    return Insertion(model._meta.db_table, ", ".join(columns), ", ".join(selected), tuple(names))


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
