"""Clients, and what they trust."""

from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "trust"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say which pages show clients."""
        from console import home as console_home
        from console import links
        from console.lib.capability import Capability
        from keys import witnesses
        from keys.backup import memories
        from settings_store import guards
        from trust import home
        from trust.clients.memory import ClientMemory
        from trust.clients.tlsguard import TlsGuard
        from trust.clients.witness import ClientWitness

        links.register("client", "trust:client")
        links.register("enrolment-credential", "trust:credential")
        links.register("question", "trust:question")
        console_home.register_panel(10, home.clients, Capability.SEE_QUESTIONS)
        console_home.register_step(15, home.first_client, Capability.MANAGE_CLIENTS)
        witnesses.register("clients", ClientWitness())
        witnesses.register_roll("clients", ClientWitness())
        memories.register("clients", ClientMemory())
        guards.register(TlsGuard())
