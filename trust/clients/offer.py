"""What an administrator may do with a client, or why not now."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from trust.clients.status import Facts
from trust.models.clients import Client


@dataclass(frozen=True)
class Act:
    """One act; with an `obstacle` it stays visible and cannot be used."""

    name: str
    label: str
    icon: str
    effect: str
    url: str
    obstacle: str = ""
    danger: bool = False


def acts(client: Client, facts: Facts, now: datetime) -> list[Act]:
    """Return the acts in the order of the page."""
    allowed = facts.allowed_until is not None and now < facts.allowed_until
    return [_withdraw(client) if allowed else _allow(client, facts), _reset(client, facts), _revoke(client, facts)]


def _allow(client: Client, facts: Facts) -> Act:
    effect = "For a client that lost its key: with a valid init file it may enrol once, without proof of its last key."
    if facts.waits:
        effect = f"Somebody asks for a certificate in its name. {effect}"
    return _act(client, "allow", "Allow re-enrolment once", "clock-play", effect, _no_key(client, facts))


def _withdraw(client: Client) -> Act:
    effect = "It may enrol once without proof of its last key. Take that back while it has not been used."
    return _act(client, "withdraw", "Withdraw permission", "arrow-back-up", effect)


def _reset(client: Client, facts: Facts) -> Act:
    effect = "With its next registration it gets a signed order to hold only the root keys of the present trust list."
    return _act(client, "reset", "Reset public key", "refresh", effect, _no_key(client, facts))


def _revoke(client: Client, facts: Facts) -> Act:
    effect = "It is refused from then on, whatever it can prove, and its certificates go on the revocation list."
    if not client.authenticated:
        effect = (
            "Whoever registers under this name without a certificate is refused. It has none that could be revoked."
        )
    obstacle = "It is revoked." if facts.revoked else ""
    act = _act(client, "revoke", "Revoke client", "ban", effect, obstacle)
    return Act(**{**vars(act), "danger": True})


def _no_key(client: Client, facts: Facts) -> str:
    if not client.authenticated:
        return "It never proved a key: there is nothing to renew, and no order it could check."
    return "It is revoked: nothing brings it back. Enrol it under another name." if facts.revoked else ""


def _act(client: Client, name: str, label: str, icon: str, effect: str, obstacle: str = "") -> Act:
    return Act(name, label, icon, effect, reverse(f"trust:client-{name}", args=[client.pk]), obstacle)
