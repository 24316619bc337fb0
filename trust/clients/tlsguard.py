"""How many clients a TLS setting concerns: shown on its form, and again after a save (TLS-15, TLS-17)."""

from collections.abc import Collection, Iterator

from django.urls import reverse
from django.utils.html import format_html

from console.lib.actor import Actor
from settings_store.contradictions import KnownToken
from settings_store.guards import Loss
from trust.clients.listing import PLAIN
from trust.models.clients import Client, ClientState, Protocol

MOST_COUNTED = 10_000
NAMES = {Protocol.P314: "Client 7.2", Protocol.P315: "Client 7.4 or later"}
# Setting, and whose clients without TLS it concerns.
CONCERNED = {
    "require_client_tls_314_flag": Protocol.P314,
    "ReportingTLSMode": Protocol.P314,
    "require_client_tls_315_flag": Protocol.P315,
    "TLSMode": Protocol.P315,
}


class TlsGuard:
    """Implements `settings_store.guards.Guard`."""

    def known_tokens(self) -> tuple[KnownToken, ...]:
        """Return none."""
        return ()

    def notices(self, name: str) -> Iterator[str]:
        """Say how many clients were last registered without TLS, or with protocol 314 at all."""
        if protocol := CONCERNED.get(name):
            found = _count(protocol, using_tls=False)
            yield format_html(
                '{}, last registered without TLS: {}. <a href="{}?registered=none&amp;registered={}&amp;protocol={}">'
                "Client Status names them</a>.",
                NAMES[protocol], found, reverse("trust:clients"), PLAIN, int(protocol),
            )  # fmt: skip
        elif name == "enable_protocol_314_flag":
            yield f"Client 7.2, known here: {_count(Protocol.P314)}. At 0 none of them can register."

    def losses(self, _names: Collection[str]) -> tuple[Loss, ...]:
        """Return none: pre-set settings are not deleted."""
        return ()

    def forget(self, names: Collection[str], *, actor: Actor) -> None:
        """Give up nothing."""


def _count(protocol: Protocol, **columns: bool) -> str:
    """Return the number in words; beyond ten thousand nobody needs it exactly, and counting takes long."""
    rows = Client.objects.filter(protocol=protocol, state=ClientState.ACTIVE, **columns)
    found = rows.order_by()[: MOST_COUNTED + 1].count()
    return f"{found:,}" if found <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
