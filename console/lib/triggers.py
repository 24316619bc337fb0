"""Which triggers a database has and fires, whatever its vendor."""

from django.db.backends.base.base import BaseDatabaseWrapper

PRESENT = {
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
}


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the triggers that are there and not disabled."""
    with connection.cursor() as cursor:
        cursor.execute(PRESENT[connection.vendor])
        return {row[0] for row in cursor.fetchall()}
