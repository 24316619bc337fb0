"""Search a column by how it begins, by its index, on both databases.

The lookup `begins` is for columns that hold lower case; what is looked for is put into lower case by the database, as
the column was. SQLite's LIKE uses an index only under a collation that PostgreSQL does not have, so there it is a
range; PostgreSQL's needs an index with `text_pattern_ops`, or a column that is ordered by its bytes.
"""

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler

LAST = 0x10FFFF  # no text that begins with the prefix comes after the prefix with this character behind it


if TYPE_CHECKING:
    Text = CharField[str, str]  # generic for mypy only
else:
    Text = CharField


class ByteOrderedField(Text):
    """A column of lower-case text ordered by its bytes on every database: one index sorts it and finds beginnings."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Return Django's, with the collation that PostgreSQL needs; it is what SQLite does anyway."""
        parameters = super().db_parameters(connection)
        return {**parameters, "collation": "C"} if connection.vendor == "postgresql" else parameters


@CharField.register_lookup
class Begins(Lookup):
    """`column__begins=text`."""

    lookup_name = "begins"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Return a comparison by pattern."""
        column, params = self.process_lhs(compiler, connection)
        pattern = connection.ops.prep_for_like_query(self.rhs) + "%"
        return f"{column} LIKE LOWER(%s)", (*params, pattern)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Return a comparison by range."""
        column, params = self.process_lhs(compiler, connection)
        text = str(self.rhs)
        sql = f"({column} >= LOWER(%s) AND {column} < LOWER(%s) || char({LAST}))"
        return sql, (*params, text, *params, text)
