"""A decision about clients that a restore forgot, and the ground of what is issued by it."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("servers", "0001_initial"), ("trust", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="certificate",
            name="ground",
            field=models.CharField(
                choices=[
                    ("credential", "Enrolment credential"),
                    ("renewal", "Renewal with its certificate"),
                    ("last-key", "Proof of its last key"),
                    ("allowed", "Re-enrolment allowed by an administrator"),
                    ("readmitted", "Certificate that a restore made this server forget"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Readmission",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField()),
                ("restored_at", models.DateTimeField()),
                ("begun_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("begun_by", models.CharField(max_length=150)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("admitted", models.PositiveIntegerField(default=0)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="servers.server"
                    ),
                ),
            ],
            options={
                "ordering": ["-begun_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        fields=("server", "restored_at"),
                        name="one_readmission_of_a_restore",
                    )
                ],
            },
        ),
    ]
