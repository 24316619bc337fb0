"""What the model classes cannot say: roles are not deleted, and failed sign-ins are counted in a table."""

from django.core.management import call_command
from django.db import migrations

from console.accounts import triggers


def make_throttle_table(apps, schema_editor):
    """Make the table of the cache that counts failed sign-ins: throttling survives a restart."""
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(
            lambda _apps, editor: triggers.install(editor.connection),
            lambda _apps, editor: triggers.remove(editor.connection),
        ),
        migrations.RunPython(make_throttle_table, migrations.RunPython.noop),
    ]
