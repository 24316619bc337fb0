"""Which clients a page of Client Status shows: one filter for the page and for the export.

Every choice is served by an index, however many clients there are: the page is merged of one part for each use of TLS
and protocol that is wanted, and each part is a range of an index that is in the wanted order (`console.lib.keyset`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import QuerySet

from console.lib import keyset
from console.lib.keyset import KeysetPage
from trust.clients import dependence
from trust.models.clients import MARKS, NEVER, Client, PendingEnrolment, Protocol

TLS, PLAIN = "tls", "plain"
REGISTERED = ((TLS, "Registered using TLS"), (PLAIN, "Registered unencrypted"))
PENDING, UNAWARE = "pending", "unaware"
SORTS = ("-last_seen", "last_seen", "name", "-name", "certificate_until", "-certificate_until")
BY_NAME = ("name", "-name")
BY_CERTIFICATE = ("certificate_until", "-certificate_until")
MOST_FOUND = 1_000
"""So many clients that a search finds, or that wait, are looked up one by one."""
LOOKED_AT = ("using_tls", "protocol", "root_id", "authenticated", "revoked_at", "name", "address")
"""What decides about each of those: `Wanted.takes`."""
MANY_NAMES = "More than 1,000 names begin like this: they are listed by name."
MANY_ADDRESSES = "More than 1,000 addresses begin like this, and 1,000 of them are shown. Type more of the address."
MANY_WAIT = "More than 1,000 keys wait for a certificate. The clients of the newest 1,000 are shown."
MANY_UNAWARE = "More than 1,000 clients do not hold the newest root key, and 1,000 of them are shown."
WITHOUT_CERTIFICATE = "Clients without a certificate are left out of this order."


@dataclass(frozen=True)
class Wanted:
    """`registered` holds TLS and PLAIN as they are wanted; `q` is how a name or an address begins."""

    registered: frozenset[str] = frozenset({TLS, PLAIN})
    q: str = ""
    protocol: str = ""
    root: str = ""
    mark: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return the filter that `as_params` wrote down."""
        texts = {name: str(params.get(name, "")) for name in ("q", "protocol", "root", "mark")}
        return cls(frozenset(params.get("registered", (TLS, PLAIN))), **texts)

    def as_params(self) -> dict[str, Any]:
        """Return the parts in use, for a job's parameters and for the log."""
        texts = {"q": self.q, "protocol": self.protocol, "root": self.root, "mark": self.mark}
        told: dict[str, Any] = {name: text for name, text in texts.items() if text}
        return told if len(self.registered) == 2 else {"registered": sorted(self.registered), **told}

    def __bool__(self) -> bool:
        return bool(self.as_params())

    def parts(self) -> list[QuerySet[Client]]:
        """Return querysets that share no row: one for each wanted use of TLS and protocol, each a range of an index."""
        found = Client.objects.all()
        if self.root:
            found = found.filter(root_id=UUID(self.root))
        if self.mark in MARKS:
            found = found.filter(MARKS[self.mark])
        # `IN (…)` with one value: SQLite searches no index for a column that stands alone as a condition.
        return [
            found.filter(using_tls__in=[kind == TLS], protocol=protocol)
            for kind in sorted(self.registered)
            for protocol in Protocol.values
            if self.protocol in {"", str(protocol)}
        ]

    def takes(self, client: Client) -> bool:
        """Tell of one client what `parts` and the search tell the database."""
        return (
            (TLS if client.using_tls else PLAIN) in self.registered
            and self.protocol in {"", str(client.protocol)}
            and (not self.root or client.root_id == UUID(self.root))
            and (self.mark != "unproven" or not client.authenticated)
            and (self.mark != "revoked" or client.revoked_at is not None)
            and (client.name.startswith(self.q) or client.address.startswith(self.q))
        )


@dataclass(frozen=True)
class Listed:
    """A page of clients; `notice` says what is done differently from what was asked for."""

    page: KeysetPage[Client]
    notice: str = ""


def listed(wanted: Wanted, *, sort: str, cursor: str = "", size: int = keyset.SIZE) -> Listed:
    """Return a page of the wanted clients; raises InvalidError for a cursor of another list."""
    few, notice = _few(wanted)
    if few is not None:
        looked_up = Client.objects.filter(pk__in=few).only(*LOOKED_AT)
        found = [client.pk for client in looked_up if wanted.takes(client)]
        parts = [Client.objects.filter(pk__in=found)]
    elif wanted.q:
        sort = sort if sort in BY_NAME else BY_NAME[0]
        parts = [part.filter(name__begins=wanted.q) for part in wanted.parts()]
    else:
        parts = wanted.parts()
    if sort in BY_CERTIFICATE:
        parts = [part.filter(certificate_until__gt=NEVER) for part in parts]
        notice = notice or WITHOUT_CERTIFICATE
    rows = Client.objects.select_related("root")
    return Listed(keyset.merged(parts, rows, sort=sort, cursor=cursor, size=size), notice)


def waiting(clients: Iterable[UUID]) -> set[UUID]:
    """Return which of these clients wait for an administrator to allow their re-enrolment."""
    return set(PendingEnrolment.objects.filter(client__in=list(clients)).values_list("client", flat=True))


def _few(wanted: Wanted) -> tuple[set[UUID] | None, str]:
    """Return clients that are looked up one by one, None when there is no search or too many were found."""
    if wanted.mark == PENDING:
        rows = PendingEnrolment.objects.order_by("-pk").values_list("client", flat=True)[: MOST_FOUND + 1]
        return set(rows[:MOST_FOUND]), MANY_WAIT if len(rows) > MOST_FOUND else ""
    if wanted.mark == UNAWARE:
        found = dependence.unaware(MOST_FOUND + 1)
        return set(found[:MOST_FOUND]), MANY_UNAWARE if len(found) > MOST_FOUND else ""
    if not wanted.q:
        return None, ""
    names, addresses = (_beginning(column, wanted.q) for column in ("name", "address"))
    if len(names) > MOST_FOUND:
        return None, MANY_NAMES
    return {*names, *addresses[:MOST_FOUND]}, MANY_ADDRESSES if len(addresses) > MOST_FOUND else ""


def _beginning(column: str, text: str) -> list[UUID]:
    found = Client.objects.filter(**{f"{column}__begins": text}).order_by()
    return list(found.values_list("pk", flat=True)[: MOST_FOUND + 1])
