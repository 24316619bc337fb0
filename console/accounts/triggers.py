"""Database triggers that refuse to delete a reserved role; a CHECK constraint already fixes its key and name.

A migration that rebuilds the table must end with `install`.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

from console.lib.triggers import present

NAME = "accounts_role_no_delete"
REFUSAL = "A reserved role cannot be deleted."

POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$;
DROP TRIGGER IF EXISTS {NAME} ON accounts_role;
CREATE TRIGGER {NAME} BEFORE DELETE OR TRUNCATE ON accounts_role EXECUTE FUNCTION {NAME}();
"""

SQLITE = f"CREATE TRIGGER {NAME} BEFORE DELETE ON accounts_role BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the trigger, or make it again."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL)
        else:
            cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}")
            cursor.execute(SQLITE)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the trigger, for a migration or a restore that must write; `install` afterwards."""
    suffix = " ON accounts_role" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}{suffix}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the name of the trigger when it is not there."""
    return [] if NAME in present(connection) else [NAME]
