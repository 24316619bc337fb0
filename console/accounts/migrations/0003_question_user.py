"""A third reserved role. On SQLite its constraint makes the table anew, so the trigger must be made again."""

from django.db import migrations, models

from console.accounts import triggers


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_guards")]

    operations = [
        migrations.RemoveConstraint(model_name="role", name="accounts_role_is_reserved"),
        migrations.AddConstraint(
            model_name="role",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("key", "administrator"), ("name", "Administrator")),
                    models.Q(("key", "auditor"), ("name", "Auditor")),
                    models.Q(("key", "question-user"), ("name", "Question user")),
                    _connector="OR",
                ),
                name="accounts_role_is_reserved",
            ),
        ),
        migrations.RunPython(lambda _apps, editor: triggers.install(editor.connection), migrations.RunPython.noop),
    ]
