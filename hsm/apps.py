"""Integration with HSMs."""

from django.apps import AppConfig


class HsmConfig(AppConfig):
    name = "hsm"
    label = "hsm"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show what, who else sees it, and what the settings have to ask before they change."""
        from console import home as console_home
        from console import links, navigation
        from console.accounts import sections
        from console.jobs import seeing
        from console.lib.capability import Capability
        from hsm import home, rights
        from hsm.guard import HsmGuard
        from settings_store import guards

        guards.register(HsmGuard())
        links.register("binding", "hsm:binding")
        links.register("group", "hsm:group")
        links.register("connection", "hsm:connection")
        links.register("security-object", "hsm:object")
        for view in ("hsm:groups", "hsm:objects"):
            navigation.show_also(view, home.in_menu)
        sections.register(home.groups_of)
        console_home.register_panel(32, home.groups)
        console_home.register_step(7, home.first_group, Capability.MANAGE_HSM)
        seeing.register("group", rights.sees_group)
        seeing.register("connection", rights.sees_connection)
        seeing.register("security-object", rights.sees_object)
