"""Numbers of clients, counted each minute: pages read them here and count nothing themselves.

| name | how many clients, of those that are not revoked |
|---|---|
| `clients` | there are |
| `clients.connected` | were seen within CONNECTED |
| `clients.tls`, `clients.plain` | registered last with, without TLS |
| `clients.unauthenticated` | registered without proof of a key |
| `clients.pending` | wait for an administrator to allow their re-enrolment |
| `root.<fingerprint>` | have a certificate below that root |
| `holding.<fingerprint>` | say that they hold that root of ours |
| `needed.<fingerprint>`, `needed-away.<fingerprint>` | still need that root, and of these are away |
| `unaware` | proved their name and do not hold the newest root |
| `behind` | still need another root than the newest, or neither hold the newest nor have a key below it |
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count as CountOf
from django.db.models import Exists, OuterRef, Q

from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root
from trust.clients import dependence
from trust.clients.status import CONNECTED
from trust.models.clients import NEVER, Client, ClientState, PendingEnrolment, RegistrationChange, RootSet
from trust.models.counts import Adoption, Count

SEEN_TODAY = timedelta(hours=24)
ROOT, HOLDING = "root.", "holding."
COUNTED = Q(state=ClientState.ACTIVE)
REGISTERED = Q(last_seen__gt=NEVER)


@dataclass(frozen=True)
class Numbers:
    """The last count; `counted_at` is None before the first one."""

    values: dict[str, int]
    counted_at: datetime | None

    def of(self, name: str) -> int:
        """Return one number; what was not counted is none."""
        return self.values.get(name, 0)


def last() -> Numbers:
    """Return the last count: one query over few rows."""
    rows = list(Count.objects.all())
    return Numbers({row.name: row.value for row in rows}, max((row.counted_at for row in rows), default=None))


def connected(now: datetime) -> Q:
    """Return the condition for a client that is connected now."""
    return COUNTED & Q(last_seen__gte=now - CONNECTED)


def count(server: Server) -> int:
    """Count anew, keep the day's point of TLS adoption, and return how many clients there are."""
    now = clock.now()
    numbers = {**_of_all(now), **_by_root(), **_by_holding(), **dependence.counted(server, now)}
    with_tls, without = _adoption(server, now)
    with transaction.atomic():
        Count.objects.bulk_create(
            [Count(name=name, value=value, counted_at=now) for name, value in numbers.items()],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["value", "counted_at"],
        )
        Count.objects.exclude(name__in=numbers).delete()
        Adoption.objects.update_or_create(
            server=server, day=now.date(), defaults={"using_tls": with_tls, "unencrypted": without}
        )
    _forget_unused_sets()
    return numbers["clients"]


def _of_all(now: datetime) -> dict[str, int]:
    found = Client.objects.filter(COUNTED).aggregate(
        all=CountOf("pk"),
        connected=CountOf("pk", filter=connected(now)),
        tls=CountOf("pk", filter=REGISTERED & Q(using_tls=True)),
        plain=CountOf("pk", filter=REGISTERED & Q(using_tls=False)),
        unauthenticated=CountOf("pk", filter=Q(authenticated=False)),
    )
    numbers = {"clients": found.pop("all"), **{f"clients.{name}": value for name, value in found.items()}}
    pending = PendingEnrolment.objects.filter(client__state=ClientState.ACTIVE)
    return numbers | {"clients.pending": pending.values("client").distinct().count()}


def _by_root() -> dict[str, int]:
    numbers = dict(Client.objects.filter(COUNTED, root__isnull=False).values_list("root").annotate(CountOf("pk")))
    fingerprints = Root.objects.filter(pk__in=numbers).values_list("pk", "fingerprint")
    return {f"{ROOT}{fingerprint}": numbers[key] for key, fingerprint in fingerprints}


def _by_holding() -> dict[str, int]:
    sets = dict(Client.objects.filter(COUNTED, holding__isnull=False).values_list("holding").annotate(CountOf("pk")))
    ours = set(Root.objects.exclude(fingerprint=None).values_list("fingerprint", flat=True))
    numbers: Counter[str] = Counter()
    for row in RootSet.objects.filter(pk__in=sets):
        for fingerprint in ours.intersection(row.fingerprints):
            numbers[f"{HOLDING}{fingerprint}"] += sets[row.pk]
    return dict(numbers)


def _adoption(server: Server, now: datetime) -> tuple[int, int]:
    """Return how many clients registered here within a day before now, with and without TLS."""
    found = Client.objects.filter(COUNTED, server=server, last_seen__gte=now - SEEN_TODAY).aggregate(
        tls=CountOf("pk", filter=Q(using_tls=True)), plain=CountOf("pk", filter=Q(using_tls=False))
    )
    return found["tls"], found["plain"]


def _forget_unused_sets() -> None:
    """Delete sets of roots that no client and no history names any more.

    A registration that names one of them at this moment finds it gone, is answered 503 and comes again.
    """
    by_client = Exists(Client.objects.filter(holding=OuterRef("pk")))
    by_history = Exists(RegistrationChange.objects.filter(holding=OuterRef("pk")))
    RootSet.objects.filter(~by_client, ~by_history).delete()
