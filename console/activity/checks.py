"""A system check: the database must refuse to change what the log holds (docs/design.md §6)."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as Warning_
from django.db import connections

from console.activity import triggers


@register(Tags.database)
def append_only(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Run with `migrate` and `check --database default`; says nothing before the tables exist."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if triggers.TABLES[0] not in connection.introspection.table_names():
            continue
        if missing := triggers.missing(connection):
            found.append(
                Warning_(  # an error would stop `migrate`, which makes them again
                    f"The activity log is not protected in the database: {', '.join(missing)} missing.",
                    hint="Verify the log, and find out who removed them. To make them again: "
                    "manage.py migrate activity 0001, then manage.py migrate activity.",
                    id="activity.W001",
                )
            )
    return found
