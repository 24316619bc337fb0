"""Integration with HSMs."""

from django.apps import AppConfig


class HsmConfig(AppConfig):
    name = "hsm"
    label = "hsm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the settings what lives by them, and say where a token is shown."""
        from console import links
        from console.jobs import seeing
        from hsm import rights
        from hsm.guard import HsmGuard
        from settings_store import guards

        guards.register(HsmGuard())
        links.register("binding", "hsm:binding")
        seeing.register("group", rights.sees_group)
        seeing.register("connection", rights.sees_connection)
        seeing.register("security-object", rights.sees_object)
