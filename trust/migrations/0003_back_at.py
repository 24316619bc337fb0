"""Since when a client has been there, in the place of when it registered anew, which nothing asked for."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trust", "0002_readmissions")]

    # When it registered anew it was there: near enough, until it comes back from its next silence.
    operations = [migrations.RenameField(model_name="client", old_name="last_full_at", new_name="back_at")]
