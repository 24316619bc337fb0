"""The activity log."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ActivityConfig(AppConfig):
    name = "console.activity"
    label = "activity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the one head row from the first migration on, and the database's own protection checked."""
        import console.activity.checks  # noqa: F401 - registers itself

        post_migrate.connect(_ensure_head, sender=self)


def _ensure_head(using: str, **_: Any) -> None:
    from console.activity.models import Head

    Head.objects.using(using).get_or_create(pk=1)
