"""Root keys and what hangs below them."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show keys, which keys live on tokens, what Home shows of them, what a restore forgets."""
        from console import home as console_home
        from console import links
        from console.lib.capability import Capability
        from hsm import holders
        from keys import home
        from keys.backup import memories
        from keys.holder import KeysHolder
        from keys.memory import RootMemory
        from keys.protection import KeyStoreGuard
        from settings_store import guards

        links.register("root-key", "keys:root")
        links.register("subordinate-key", "keys:subordinate")
        links.register("backup", "keys:backup")
        holders.register(KeysHolder())
        guards.register(KeyStoreGuard())
        memories.register("root keys", RootMemory())
        console_home.register_panel(20, home.root_keys)
        console_home.register_panel(60, home.last_backup)
        console_home.register_step(5, home.new_root, Capability.MANAGE_KEYS)
