"""What an act on a client means, worked out from what is known now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trust.clients import held
from trust.models.certificates import Certificate
from trust.models.clients import NEVER, Client, PendingEnrolment


@dataclass(frozen=True)
class Line:
    """One consequence; `at` is a time beside the text, `code` an identifier in full."""

    term: str
    text: str
    at: datetime | None = None
    bad: bool = False
    code: str = ""


def of_allowing(client: Client) -> tuple[Line, ...]:
    """Return who asks for a certificate in the client's name, and what it has now."""
    asked = [
        Line("Asked for", f"by a key {came_by(one)}", one.last_at, code=one.spki_fingerprint)
        for one in client.pending.select_related("credential")
    ]
    return (_last_contact(client), *(asked or [Line("Asked for", "by nobody yet")]))


def came_by(waiting: PendingEnrolment) -> str:
    """Return where a key that waits asked from, and with which init file."""
    file = waiting.credential
    return f"at {waiting.address or 'an unknown address'}" + (
        f" with the file {file.note or file.short}" if file else ""
    )


def of_resetting(client: Client) -> tuple[Line, ...]:
    """Return what the client holds and what it should."""
    known = held.of(client)
    wanted = known.wanted
    dropped = sum(one.standing in {held.Standing.REVOKED, held.Standing.UNKNOWN} for one in known.roots)
    return (
        Line("It holds now", known.mark.text, bad=known.mark.kind in {"bad", "warn"}),
        Line("Newest root", wanted.name, code=wanted.fingerprint or "") if wanted else Line("Newest root", "none"),
        Line("Given up", _given_up(dropped) if known.told else "what is not on the list"),
        _last_contact(client),
    )


def _given_up(number: int) -> str:
    return "none of the keys that it named" if not number else f"{number} key{'s' if number > 1 else ''} that it named"


def of_revoking(client: Client, now: datetime) -> tuple[Line, ...]:
    """Return what stops with a revocation."""
    if not client.authenticated:
        return _of_refusing(client)
    valid = list(Certificate.objects.filter(client=client, revoked_at=None, not_after__gt=now).order_by("-id"))
    if valid:
        number = f"{len(valid)} that are valid go" if len(valid) > 1 else "1 that is valid goes"
        certificates = Line(
            "Certificates", f"{number} on the revocation list; its key:", code=valid[0].spki_fingerprint
        )
    else:
        certificates = Line("Certificates", "none is valid any more")
    return (
        _last_contact(client),
        certificates,
        Line("Registration", "refused, with the reason in both logs"),
        Line("Way back", "none under this name: neither its key, nor an init file, nor a permission", bad=True),
        *_other_names(client, now),
    )


def _of_refusing(client: Client) -> tuple[Line, ...]:
    """Return what stops for a name that never proved a key: there is nothing of it but what it said."""
    return (
        _last_contact(client),
        Line("Certificates", "it has none, so nothing goes on a revocation list"),
        Line("Registration", "refused under this name for whoever shows no certificate, with the reason in both logs"),
        Line("With a certificate", f"not concerned: {client.name} may enrol by a keystead-init.dat, and register then"),
        Line("Other names", "not concerned: a computer that proves nothing can call itself as it likes", bad=True),
    )


def _other_names(client: Client, now: datetime) -> Iterator[Line]:
    """Yield that its init file would still enrol it under a name that nobody knows."""
    file = client.credential
    if file is not None and file.withdrawn_at is None and file.expires_at > now and file.left:
        text = f"{file} of its init file enrols new names until it is withdrawn on Infrastructure, or until"
        yield Line("Other names", text, file.expires_at, bad=True)


def _last_contact(client: Client) -> Line:
    if client.last_seen <= NEVER:
        return Line("Last contact", "it never registered")
    return Line("Last contact", f"with {client.registered_with or 'this server'}", client.last_seen)
