"""Root keys and what hangs below them."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show keys, and which keys live on tokens."""
        from console import links
        from hsm import holders
        from keys.holder import KeysHolder

        links.register("root-key", "keys:root")
        links.register("subordinate-key", "keys:subordinate")
        links.register("backup", "keys:backup")
        holders.register(KeysHolder())
