"""The activity log."""

from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "console.activity"
    label = "activity"
    default_auto_field = "django.db.models.BigAutoField"
