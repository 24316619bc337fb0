"""Insert many rows that are alike, in less than half the time that bulk_create takes.

bulk_create wants a model instance for each row, prepares each of its values anew and sends 27 rows in a statement. Of
10,000 keys that come from one HSM most columns are equal, so a value is prepared when it differs from that of the row
before, what no row names is prepared once, and one statement is run for all.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from django.db import connections, router
from django.db.models import Field

from hsm.models.objects import SecurityObject

NOTHING = object()  # equal to no value


def insert(rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in the caller's transaction.

    Each names the same columns, by attribute of SecurityObject, the primary key among them; others get their defaults.
    """
    connection = connections[router.db_for_write(SecurityObject)]
    meta, quote = SecurityObject._meta, connection.ops.quote_name
    fields = [field for field in meta.concrete_fields if not field.generated]
    columns = [list(_column(field, rows, connection)) for field in fields]
    names = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(meta.db_table)} ({names}) VALUES ({places})"  # noqa: S608 - names of our own
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(zip(*columns, strict=True)))


def _column(field: "Field[Any, Any]", rows: Sequence[Mapping[str, Any]], connection: Any) -> Iterator[Any]:
    """Yield the values of one column as the database takes them."""
    name = field.attname
    if name not in rows[0]:
        yield from repeat(field.get_db_prep_save(field.get_default(), connection), len(rows))
        return
    before, prepared = NOTHING, None
    for row in rows:
        if row[name] != before:
            before, prepared = row[name], field.get_db_prep_save(row[name], connection)
        yield prepared
