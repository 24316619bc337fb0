"""Advanced Settings."""

from django.apps import AppConfig


class SettingsStoreConfig(AppConfig):
    name = "settings_store"
    label = "settings_store"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say where a setting is shown."""
        from console import links

        links.register("setting", "settings_store:edit")
