"""What the model classes cannot say: roles are not deleted, and failed sign-ins are counted in a table."""

from django.core.management import call_command
from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION accounts_refuse_role_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'A reserved role cannot be deleted.' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER accounts_role_no_delete BEFORE DELETE ON accounts_role
FOR EACH ROW EXECUTE FUNCTION accounts_refuse_role_deletion();
"""

SQLITE = """
CREATE TRIGGER accounts_role_no_delete BEFORE DELETE ON accounts_role
BEGIN SELECT RAISE(ABORT, 'A reserved role cannot be deleted.'); END;
"""

POSTGRESQL_BACK = """
DROP TRIGGER accounts_role_no_delete ON accounts_role;
DROP FUNCTION accounts_refuse_role_deletion();
"""


def guard_roles(apps, schema_editor):
    """Refuse DELETE on the table of roles; its CHECK constraint already refuses any other name."""
    schema_editor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL)


def unguard_roles(apps, schema_editor):
    """Drop the trigger."""
    sqlite = schema_editor.connection.vendor == "sqlite"
    schema_editor.execute("DROP TRIGGER accounts_role_no_delete" if sqlite else POSTGRESQL_BACK)


def make_throttle_table(apps, schema_editor):
    """Make the table of the cache that counts failed sign-ins: throttling survives a restart."""
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(guard_roles, unguard_roles),
        migrations.RunPython(make_throttle_table, migrations.RunPython.noop),
    ]
