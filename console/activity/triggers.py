"""Database triggers that refuse to change what the activity log holds.

They stop mistakes and careless tools; whoever owns the database can drop them, which is why the chain is signed.
A migration that rebuilds one of these tables must end with `install`.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

from console.lib.triggers import present

TABLES = ("activity_entry", "activity_signedhead")
REFUSAL = "The activity log is append-only."

POSTGRESQL = """
CREATE OR REPLACE FUNCTION activity_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation'; END $$;
DROP TRIGGER IF EXISTS {table}_rows ON {table};
CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION activity_append_only();
DROP TRIGGER IF EXISTS {table}_all ON {table};
CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION activity_append_only();
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers, or make them again."""
    with connection.cursor() as cursor:
        for table in TABLES:
            if connection.vendor == "postgresql":
                cursor.execute(POSTGRESQL.format(table=table, refusal=REFUSAL))
                continue
            for verb in ("UPDATE", "DELETE"):
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{verb.lower()}")
                cursor.execute(
                    f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
                )


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers, for a migration or a restore that must write; `install` afterwards."""
    with connection.cursor() as cursor:
        for table in TABLES:
            for name in _names(connection.vendor, table):
                suffix = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{suffix}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers that are not there."""
    there = present(connection)
    return [name for table in TABLES for name in _names(connection.vendor, table) if name not in there]


def _names(vendor: str, table: str) -> tuple[str, str]:
    return (f"{table}_rows", f"{table}_all") if vendor == "postgresql" else (f"{table}_update", f"{table}_delete")
