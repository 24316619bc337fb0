"""Root keys and what hangs below them."""

from collections.abc import Iterator

from django.apps import AppConfig


class KeysConfig(AppConfig):
    name = "keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show keys, which keys live on tokens, and who knows the keys of the activity log."""
        from console import links
        from console.activity import heads
        from hsm import holders
        from keys.holder import KeysHolder

        links.register("root-key", "keys:root")
        links.register("subordinate-key", "keys:subordinate")
        holders.register(KeysHolder())
        heads.register_log_keys(_log_keys)


def _log_keys() -> Iterator[bytes]:
    # Asked in the worker only; the web process must not reach the key store.
    from keys import logkey

    yield from logkey.public_keys()
