"""Which clients still need a root: one grouped query for any number of them, judged by `keys.readiness`.

What decides about a client is the root above its certificate, the set of roots it says it holds, and whether it proved
its name: few values for a million clients. So the database counts them by those, and the pure rule judges each group as
one client. `tests/trust/clients/test_dependence.py` and `./run bench readiness` check samples one by one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, Count, Max, Q, QuerySet, Value, When

from console.lib import keyset
from console.lib.keyset import KeysetPage
from console.servers.current import current
from console.servers.models import Server
from keys import readiness
from keys.models.root import RevocationReason, Root, RootKind, RootState
from keys.models.statements import CrossCertificate
from keys.readiness import RESET_MOST, Dependant, Fate, RootFacts, Verdict, World
from trust.models.clients import NEVER, Client, ClientState, Protocol, RootSet

IN_USE = (RootState.ACTIVE, RootState.REVOKED)
NEEDED, AWAY, UNAWARE, BEHIND = "needed.", "needed-away.", "unaware", "behind"
"""Names of numbers in the count of each minute: of a root (its fingerprint follows), and of the newest one."""


@dataclass(frozen=True)
class Group:
    """So many clients about which the rule says the same; the dates are the latest among them."""

    clients: Dependant
    number: int


@dataclass(frozen=True)
class Needs:
    """Who still needs a root: of the clients that proved their name, those that would be disturbed, and lost.

    `away`: of these, how many were not heard of for so long that only the end of their certificate is certain.
    `earliest`: from then on none of them needs it, but for `never` of them. `unproven`: clients that never proved their
    name, hold nothing else by their own account, and are waited for by nobody.
    """

    disturbed: int
    lost: int
    away: int
    unproven: int
    earliest: datetime
    never: int

    @property
    def number(self) -> int:
        """How many a revocation that is to disturb nobody waits for."""
        return self.disturbed + self.lost


def world(server: Server) -> World:
    """Return the roots of a server, and who certified whom."""
    rows = Root.objects.filter(server=server, kind=RootKind.ROOT, state__in=IN_USE)
    roots = {str(root.fingerprint): _facts(root) for root in rows}
    pairs = CrossCertificate.objects.filter(issuer__server=server, issuer__state__in=IN_USE, subject__state__in=IN_USE)
    certified = pairs.values_list("issuer__fingerprint", "subject__fingerprint")
    return World(roots, frozenset((str(issuer), str(subject)) for issuer, subject in certified))


def groups(now: datetime) -> list[Group]:
    """Return every client that is not revoked, in groups: one query over the clients, two over what it names."""
    fingerprints = dict(Root.objects.filter(state__in=IN_USE).values_list("pk", "fingerprint"))
    rows = list(
        Client.objects.filter(state=ClientState.ACTIVE, protocol=Protocol.P315)
        .order_by()
        .values("root_id", "holding_id", "authenticated", there=_when(last_seen__gt=now - RESET_MOST),
                valid=_when(certificate_until__gt=now))
        .annotate(number=Count("pk"), until=Max("certificate_until"), seen=Max("last_seen"))
    )  # fmt: skip
    sets = _sets({row["holding_id"] for row in rows if row["holding_id"]})
    return [
        Group(
            Dependant(
                root=fingerprints.get(row["root_id"]),
                held=sets.get(row["holding_id"]),
                certificate_until=row["until"],
                last_seen=row["seen"],
                authenticated=row["authenticated"],
            ),
            row["number"],
        )
        for row in rows
    ]


def needs(found: list[Group], known: World, root: Root, reason: str, now: datetime) -> Needs:
    """Judge groups towards the revocation of a root."""
    fingerprint = str(root.fingerprint)
    judged = [(group, readiness.verdict(group.clients, known, fingerprint, reason, now)) for group in found]
    waited = [(group, verdict) for group, verdict in judged if readiness.waited_for(group.clients, verdict)]
    lost = [(group, verdict) for group, verdict in judged if verdict.fate is Fate.LOST]
    dates = [(readiness.ready_at(group.clients, known, fingerprint, reason, now), group) for group, _ in waited]
    return Needs(
        disturbed=sum(group.number for group, verdict in waited if verdict.fate is Fate.DISTURBED),
        lost=sum(group.number for group, _ in lost if group.clients.authenticated),
        away=sum(group.number for group, _ in waited if not readiness.is_there(group.clients, now)),
        unproven=sum(group.number for group, _ in lost if not group.clients.authenticated),
        earliest=max((date for date, _ in dates if date), default=now),
        never=sum(group.number for date, group in dates if date is None),
    )


def counted(server: Server, now: datetime) -> dict[str, int]:
    """Return the numbers that the count of each minute keeps for tiles and for the list of propagation."""
    known = world(server)
    if known.newest is None:
        return {}
    found = groups(now)
    newest = known.newest.fingerprint
    older = list(Root.objects.numbered(server).exclude(fingerprint=newest))
    unaware = [group for group in found if _is_unaware(group.clients, newest)]
    behind = [
        group
        for group in found
        if (group in unaware and group.clients.root != newest) or _needs_any(group.clients, known, older, now)
    ]
    numbers = {name: sum(group.number for group in part) for name, part in ((UNAWARE, unaware), (BEHIND, behind))}
    for root in older:
        of_root = needs(found, known, root, RevocationReason.POLICY, now)
        numbers |= {f"{NEEDED}{root.fingerprint}": of_root.number, f"{AWAY}{root.fingerprint}": of_root.away}
    return numbers


def unaware(most: int) -> list[UUID]:
    """Return up to `most` clients that proved their name and do not hold the newest root of their server.

    Two searches of an index: by the sets of roots that lack it, and those that enrolled and have not registered yet.
    """
    newest = Root.objects.numbered(current()).first()
    if newest is None:
        return []
    sets = [pk for pk, held in _sets(None).items() if newest.fingerprint not in held]
    told = Q(holding__in=sets)
    silent = Q(root__in=Root.objects.numbered(current()), using_tls__in=[True, False], last_seen=NEVER, holding=None)
    there = Client.objects.filter(authenticated=True, state=ClientState.ACTIVE, protocol=Protocol.P315).order_by()
    return [pk for part in (told, silent) for pk in there.filter(part).values_list("pk", flat=True)[:most]][:most]


def is_stranded(client: Client) -> bool:
    """Whether nothing that a client says it holds leads on to the newest root: it needs a new init file."""
    if client.holding is None or client.protocol != Protocol.P315 or client.state == ClientState.REVOKED:
        return False
    known = world(client.server)
    return known.newest is not None and not known.leads_on(client.holding.fingerprints)


def dependant(client: Client, fingerprints: Mapping[UUID, str | None]) -> Dependant:
    """Return what is known of one client; `fingerprints` are those of the roots."""
    return Dependant(
        root=fingerprints.get(client.root_id) if client.root_id else None,
        held=None if client.holding is None else frozenset(client.holding.fingerprints),
        certificate_until=client.certificate_until,
        last_seen=client.last_seen,
        authenticated=client.authenticated,
        revoked=client.state == ClientState.REVOKED,
        follows=client.protocol == Protocol.P315,
    )


def judge(clients: list[Client], known: World, root: Root, reason: str, now: datetime) -> list[Verdict]:
    """Return the verdict on each client, by the pure rule."""
    fingerprints = dict(Root.objects.values_list("pk", "fingerprint"))
    return [
        readiness.verdict(dependant(client, fingerprints), known, str(root.fingerprint), reason, now)
        for client in clients
    ]


def page(
    known: World, root: Root, reason: str, now: datetime, *, fate: Fate | None = None, cursor: str = "",
    size: int = keyset.SIZE,
) -> KeysetPage[Client]:  # fmt: skip
    """Return a page of the clients that need a root, by name: those of one fate, or all."""
    parts = list(_parts(known, root, reason, now, fate))
    rows = Client.objects.select_related("root", "holding")
    return keyset.merged(parts, rows, sort="name", cursor=cursor, size=size)


def needed(known: World, root: Root, reason: str, now: datetime) -> QuerySet[Client]:
    """Return all clients that need a root, as one query: to check the groups by, not for a page."""
    wanted = _lost(known, str(root.fingerprint), reason)
    below = Q(authenticated=True, certificate_until__gt=now, root=root)
    return Client.objects.filter(wanted | below, state=ClientState.ACTIVE, protocol=Protocol.P315)


def _parts(known: World, root: Root, reason: str, now: datetime, fate: Fate | None) -> Iterator[QuerySet[Client]]:
    """Yield querysets that share no row: those below the root are found by an index; of the others only the lost."""
    there = Client.objects.filter(state=ClientState.ACTIVE, protocol=Protocol.P315)
    lost = _lost(known, str(root.fingerprint), reason)
    disturbed = Q(authenticated=True, certificate_until__gt=now) & ~lost
    wanted = {Fate.LOST: lost, Fate.DISTURBED: disturbed, None: lost | disturbed}[fate]
    for using_tls in (True, False):
        yield there.filter(wanted, root=root, using_tls__in=[using_tls])
    if fate is not Fate.DISTURBED:
        yield there.filter(lost).exclude(root=root)


def _lost(known: World, fingerprint: str, reason: str) -> Q:
    """Return the condition for clients that nothing leads on: by the sets of roots, which are few."""
    after = known.after(fingerprint, reason)
    sets = [pk for pk, held in _sets(None).items() if not after.leads_on(held)]
    condition = Q(holding__in=sets)
    return condition if after.leads_on({fingerprint}) else condition | Q(holding__isnull=True)


def _sets(wanted: set[int] | None) -> dict[int, frozenset[str]]:
    rows = RootSet.objects.all() if wanted is None else RootSet.objects.filter(pk__in=wanted)
    return {pk: frozenset(fingerprints) for pk, fingerprints in rows.values_list("pk", "fingerprints")}


def _facts(root: Root) -> RootFacts:
    compromised = root.revocation_reason == RevocationReason.COMPROMISED
    return RootFacts(str(root.fingerprint), root.name, root.number or 0, root.is_active, compromised)


def _is_unaware(client: Dependant, newest: str) -> bool:
    return client.authenticated and (client.held is None or newest not in client.held)


def _needs_any(client: Dependant, known: World, older: list[Root], now: datetime) -> bool:
    verdicts = (readiness.verdict(client, known, str(root.fingerprint), RevocationReason.POLICY, now) for root in older)
    return any(readiness.waited_for(client, verdict) for verdict in verdicts)


def _when(**condition: datetime) -> Case:
    return Case(When(Q(**condition), then=Value(True)), default=Value(False))  # noqa: FBT003 - SQL's own
