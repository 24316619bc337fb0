"""Integration with HSMs."""

from django.apps import AppConfig


class HsmConfig(AppConfig):
    name = "hsm"
    default_auto_field = "django.db.models.BigAutoField"
