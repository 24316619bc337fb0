"""The accounts app."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """Users and what they may do."""

    name = "console.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Have the reserved roles exist from the first migration on, and listen to allauth."""
        from console import links
        from console.accounts import factor_log

        links.register("user", "accounts:user")
        factor_log.connect()
        post_migrate.connect(_ensure_reserved_roles, sender=self)


def _ensure_reserved_roles(using: str, **_: Any) -> None:
    from console.accounts import roles

    roles.ensure_reserved(using=using)
