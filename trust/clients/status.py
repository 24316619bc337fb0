"""What Client Status says of a client. Pure: facts and the time in, words and marks out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CONNECTED = timedelta(minutes=7)
"""A client that is there registers every 30 to 90 s, and the row says so at most five minutes and a second later."""
LONGEST_RESET = timedelta(hours=6)
"""At the latest after so long a client registers anew: one that is only slow has come by then."""


class Contact(StrEnum):
    """How long ago a client registered. A revoked client has no contact: it is refused."""

    NEVER = "never"
    CONNECTED = "connected"
    OVERDUE = "overdue"
    SILENT = "silent"
    REFUSED = "refused"


class Hearing(StrEnum):
    """How far the word of a new key has come to a client."""

    NOT_YET = "not-yet"
    UNDER_WAY = "under-way"
    DONE = "done"


class Issue(StrEnum):
    """What an administrator must know of a client besides, the gravest first."""

    REVOKED = "revoked"
    ROOT_REVOKED = "root-revoked"
    EXPIRED = "expired"
    PENDING = "pending"
    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"


@dataclass(frozen=True)
class Mark:
    """A state as it is shown: never by its colour alone."""

    kind: str
    icon: str
    text: str
    why: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known. Times are None where there was nothing yet: no registration, no certificate, no permission."""

    authenticated: bool
    revoked: bool
    using_tls: bool
    last_seen: datetime | None
    certificate_until: datetime | None
    root_revoked: bool = False
    waits: bool = False
    allowed_until: datetime | None = None


@dataclass(frozen=True)
class Status:
    """What a row says."""

    contact: Contact
    issues: tuple[Issue, ...]

    @property
    def contact_mark(self) -> Mark:
        """How long ago it registered."""
        return CONTACTS[self.contact]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What else must be known, the gravest first."""
        return tuple(ISSUES[issue] for issue in self.issues)


CONTACTS = {
    Contact.NEVER: Mark("mute", "circle-dashed", "Not registered yet", "It has a certificate and never registered."),
    Contact.CONNECTED: Mark("ok", "circle-check", "Connected", "It registered within the last minutes."),
    Contact.OVERDUE: Mark(
        "warn", "clock", "Overdue", "It should register every 30 to 90 seconds, and at the latest after 6 hours."
    ),
    Contact.SILENT: Mark(
        "mute", "wifi-off", "Silent", "It has not registered for over 6 hours: it is off, or cannot reach its server."
    ),
    Contact.REFUSED: Mark("bad", "ban", "Refused", "It is revoked: whatever it sends is refused."),
}
ISSUES = {
    Issue.REVOKED: Mark("bad", "ban", "Revoked", "It is refused since, whatever it shows or says."),
    Issue.ROOT_REVOKED: Mark(
        "bad", "shield-x", "Root revoked", "The root above its certificate is revoked: it has to enrol again."
    ),
    Issue.EXPIRED: Mark(
        "bad", "calendar-x", "Certificate expired", "It comes back by itself with the proof of its last key."
    ),
    Issue.PENDING: Mark(
        "warn", "hourglass", "Waits to re-enrol", "Somebody asks for a certificate in its name without its last key."
    ),
    Issue.ALLOWED: Mark(
        "info", "clock-play", "May re-enrol once", "An administrator lets it enrol without proof of its last key."
    ),
    Issue.UNAUTHENTICATED: Mark(
        "warn", "shield-off", "Unauthenticated", "It registered without a certificate: anybody can claim this name."
    ),
}
TLS_YES = Mark("ok", "lock", "Yes")
TLS_NO = Mark("warn", "lock-open", "No, unencrypted")
TLS_NOT_YET = Mark("mute", "circle-dashed", "Not registered yet")
PEERS_TLS = Mark("ok", "lock", "TLS")
PEERS_PLAIN = Mark("warn", "lock-open", "Unencrypted", "TLSMode is 0.")
PEERS_LEGACY = Mark("warn", "lock-open", "Unencrypted", "Only Client 7.4 or later uses TLS between clients.")
FIRST_WITH_PEER_TLS = 315


def hearing(published: datetime | None, back_at: datetime, last_seen: datetime) -> Hearing:
    """Return whether a client, which has been there since `back_at`, has heard of what was published (None: nothing).

    It takes the trust list with the answer to a registration, and says what it holds with the next one. While it is
    there no two are further apart than CONNECTED: the last one is not the first that brought the list, if it came so
    long after that one, or after the list.
    """
    if published is None or last_seen < published:
        return Hearing.NOT_YET
    return Hearing.DONE if last_seen - max(published, back_at) > CONNECTED else Hearing.UNDER_WAY


def between_clients(protocol: int, tls_mode: int) -> Mark:
    """Return how a client talks to other clients (TLS-06): by its protocol, and by the TLSMode it registered with."""
    if protocol < FIRST_WITH_PEER_TLS:
        return PEERS_LEGACY
    return PEERS_TLS if tls_mode else PEERS_PLAIN


def status(facts: Facts, now: datetime) -> Status:
    """Return what a row says at this time."""
    return Status(_contact(facts, now), tuple(_issues(facts, now)))


def using_tls(facts: Facts) -> Mark:
    """Return the word under Using TLS: what the last registration used (CLI-02, CLI-04)."""
    if facts.last_seen is None:
        return TLS_NOT_YET
    return TLS_YES if facts.using_tls else TLS_NO


def _contact(facts: Facts, now: datetime) -> Contact:
    if facts.revoked:
        return Contact.REFUSED
    if facts.last_seen is None:
        return Contact.NEVER
    silence = now - facts.last_seen
    if silence <= CONNECTED:
        return Contact.CONNECTED
    return Contact.OVERDUE if silence <= LONGEST_RESET else Contact.SILENT


def _issues(facts: Facts, now: datetime) -> list[Issue]:
    if facts.revoked:
        return [Issue.REVOKED]
    certified = facts.certificate_until is not None
    allowed = facts.allowed_until is not None and now < facts.allowed_until
    holds = {
        Issue.ROOT_REVOKED: certified and facts.root_revoked,
        Issue.EXPIRED: facts.certificate_until is not None and facts.certificate_until <= now,
        Issue.PENDING: facts.waits and not allowed,
        Issue.ALLOWED: allowed,
        Issue.UNAUTHENTICATED: not facts.authenticated,
    }
    return [issue for issue in Issue if holds.get(issue)]
