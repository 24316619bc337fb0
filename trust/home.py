"""What Home shows of clients (NAV-06, HSI-27): how many are connected, and how. It reads the last count only."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from console.home import Fact, Mark, Panel, Step
from console.lib.capability import Capability
from console.navigation import may
from trust.clients import counting, listing
from trust.models.clients import Client

USING_TLS, UNENCRYPTED = f"?registered=none&registered={listing.TLS}", f"?registered=none&registered={listing.PLAIN}"
WAITING = f"?mark={listing.PENDING}"
"""Filters of Client Status."""


def clients(request: HttpRequest) -> Panel:
    """Return the clients, as they were counted within the last minute."""
    numbers = counting.last()
    reads = may(request, Capability.READ)
    if not numbers.of("clients"):
        return _none(reads=reads)
    connected, pending = numbers.of("clients.connected"), numbers.of("clients.pending")
    status = _page("trust:clients") if reads else ""
    lines = [
        Fact("Connected now", f"{connected:,} of {numbers.of('clients'):,}", status),
        Fact("Registered using TLS", f"{numbers.of('clients.tls'):,}", f"{status}{USING_TLS}" if status else ""),
        Fact("Registered unencrypted", f"{numbers.of('clients.plain'):,}", f"{status}{UNENCRYPTED}" if status else ""),
        Fact("Waiting to re-enrol", f"{pending:,}", f"{status}{WAITING}" if status else ""),
        Fact("Counted", at=numbers.counted_at),
    ]
    state, summary = _state(connected, pending)
    return Panel("clients", "Clients", "devices", state, summary, tuple(lines), status, "Client Status")


def first_client(_request: HttpRequest) -> Step:
    """Return the step to a client that proved its key."""
    return Step(
        "Enrol a first client",
        "Download a keystead-init.dat and start a client with it: it gets its certificate from this server.",
        _page("trust:infrastructure"),
        done=Client.objects.filter(authenticated=True).exists(),
    )


def _state(connected: int, pending: int) -> tuple[Mark, str]:
    if not connected:
        return Mark.WARN, "No client is connected"
    if pending:
        return Mark.WARN, f"{connected:,} connected, {pending:,} waiting for leave to re-enrol"
    return Mark.OK, f"{connected:,} connected: the root keys work"


def _none(*, reads: bool) -> Panel:
    summary = "No client has registered yet. Each one begins with an infrastructure configuration file."
    page = _page("trust:infrastructure") if reads else ""
    return Panel(
        "clients", "Clients", "devices", Mark.IDLE, summary, (Fact("Connected now", "0"),), page, "Infrastructure"
    )


def _page(view: str) -> str:
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
