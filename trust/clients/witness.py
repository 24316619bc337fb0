"""What the clients have to do with a root: what the pages of the keys ask (`keys.witnesses`)."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.urls import NoReverseMatch, reverse

from console import links
from console.lib import clock
from keys.models.root import RevocationReason, Root, RootState
from keys.readiness import Fate, World
from keys.witnesses import Component, Consequence, Counted, Dependants, Named, amount
from settings_store import values
from trust.clients import counting, dependence, listing
from trust.clients.counting import Numbers
from trust.clients.dependence import AWAY, BEHIND, NEEDED, UNAWARE
from trust.models.clients import NEVER, Client

FIRST = 5
KIND = "clients"
WINDOW = "PKIClientTLSKeyRenewalWindowHours"


class ClientWitness:
    """Implements keys.witnesses.Witness and Roll. What many pages ask comes from the count of each minute."""

    def consequences(self, _root: Root) -> Iterator[Consequence]:
        """Yield nothing: who needs the root is on the roll, and the dialog names them."""
        return iter(())

    def components(self, root: Root) -> Iterator[Component]:
        """Yield how many clients are how far, in a few lines."""
        numbers = counting.last()
        if below := numbers.of(f"{counting.ROOT}{root.fingerprint}"):
            yield Component(f"Clients of {root.short_name}", KIND, done=True, state=amount(below, KIND), number=below)
        told = 0
        for old in Root.objects.numbered(root.server).exclude(pk=root.pk):
            name, number = f"Clients that still need {old.short_name}", _needing(numbers, old)
            if number is None:
                yield Component(name, KIND, done=False, state="being counted, within a minute", number=0, url=_url(old))
            elif number:
                away = numbers.of(f"{AWAY}{old.fingerprint}")
                state = amount(number, KIND) + (f", {away:,} of them not heard of for 6 hours" if away else "")
                yield Component(name, KIND, done=False, state=state, number=number, url=_url(old))
                told += number
        if number := numbers.of(UNAWARE):
            name, rest = f"Clients that do not hold {root.short_name} yet", max(0, numbers.of(BEHIND) - told)
            yield Component(name, KIND, done=False, state=amount(number, KIND), number=rest, url=_unaware())
        for gone in Root.objects.filter(server=root.server, state=RootState.REVOKED):
            if number := numbers.of(f"{counting.HOLDING}{gone.fingerprint}"):
                name = f"Clients that still hold {gone.short_name}, which is revoked"
                state = f"{amount(number, KIND)}: not reached yet by the order to forget it"
                yield Component(name, KIND, done=False, state=state, number=0, url=_url(gone))

    def dependants(self, root: Root) -> Dependants | None:
        """Return who needs `root` now, with the first of them by name."""
        now = clock.now()
        found = dependence.groups(now)
        if not found:
            return None
        known = dependence.world(root.server)
        usual = dependence.needs(found, known, root, RevocationReason.POLICY, now)
        worst = dependence.needs(found, known, root, RevocationReason.COMPROMISED, now)
        return Dependants(
            kind=KIND,
            disturbed=usual.disturbed,
            lost=usual.lost,
            away=usual.away,
            unproven=usual.unproven,
            earliest=usual.earliest,
            never=usual.never,
            deceived=worst.lost + worst.unproven,
            first=_first(known, root, RevocationReason.POLICY, None, now) if usual.number else (),
            first_deceived=_first(known, root, RevocationReason.COMPROMISED, Fate.LOST, now)
            if worst.lost + worst.unproven
            else (),
            url=_url(root),
        )

    def left(self, root: Root, reason: str) -> int:
        """Return how many clients still need `root` now."""
        now = clock.now()
        return dependence.needs(dependence.groups(now), dependence.world(root.server), root, reason, now).number

    def counted(self, roots: Collection[Root]) -> Mapping[UUID, Counted]:
        """Return the last count of each root that was counted."""
        numbers = counting.last()
        if numbers.counted_at is None:
            return {}
        return {
            root.pk: Counted(
                KIND,
                number=_needing(numbers, root),
                away=numbers.of(f"{AWAY}{root.fingerprint}"),
                below=numbers.of(f"{counting.ROOT}{root.fingerprint}"),
                at=numbers.counted_at,
                url=_url(root),
            )
            for root in roots
        }


def named(clients: list[Client], known: World, root: Root, reason: str, now: datetime) -> tuple[Named, ...]:
    """Return what a person is told of clients that need a root."""
    verdicts = dependence.judge(clients, known, root, reason, now)
    window = timedelta(hours=values.integer(WINDOW))
    return tuple(
        Named(
            client.name,
            links.link("client", str(client.pk)) or "",
            client.last_seen if client.last_seen > NEVER else None,
            client.certificate_until - window if client.certificate_until > NEVER else None,
            verdict.why,
            lost=verdict.fate is Fate.LOST,
            proven=client.authenticated,
        )
        for client, verdict in zip(clients, verdicts, strict=True)
    )


def _first(known: World, root: Root, reason: str, fate: Fate | None, now: datetime) -> tuple[Named, ...]:
    page = dependence.page(known, root, reason, now, fate=fate, size=FIRST)
    return named(page.rows, known, root, reason, now)


def _needing(numbers: Numbers, root: Root) -> int | None:
    """Return how many clients needed a root; None while there are clients and it was the newest at the last count."""
    return numbers.values.get(f"{NEEDED}{root.fingerprint}", None if numbers.of("clients") else 0)


def _url(root: Root) -> str:
    return _page("trust:dependants", root.pk)


def _unaware() -> str:
    url = _page("trust:clients")
    return f"{url}?mark={listing.UNAWARE}" if url else ""


def _page(view: str, *args: object) -> str:
    try:
        return reverse(view, args=args)
    except NoReverseMatch:
        return ""
