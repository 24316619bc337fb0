"""Integration with HSMs."""

from django.apps import AppConfig


class HsmConfig(AppConfig):
    name = "hsm"
    label = "hsm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the settings what lives by them, and say where a token is shown."""
        from console import links
        from hsm.guard import HsmGuard
        from settings_store import guards

        guards.register(HsmGuard())
        links.register("binding", "hsm:binding")
