"""Clients, and what they trust."""

from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "trust"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show clients."""
        from console import links

        links.register("client", "trust:client")
        links.register("enrolment-credential", "trust:credential")
        links.register("question", "trust:question")
