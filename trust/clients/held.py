"""The root keys that a client says it holds, beside the ones there are (HSI-45, KEY-10). Pure but for `of`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from keys import roots
from keys.models.root import Root, RootState
from trust.clients import status
from trust.clients.status import Hearing, Mark
from trust.models.clients import Client, Protocol
from trust.models.documents import EVERYONE, DocumentKind, SignedDocument


class Standing(StrEnum):
    """What a held fingerprint is to this console."""

    WANTED = "wanted"
    ACTIVE = "active"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


MARKS = {
    Standing.WANTED: Mark("ok", "circle-check", "Newest root"),
    Standing.ACTIVE: Mark("ok", "check", "Active"),
    Standing.REVOKED: Mark("bad", "ban", "Revoked"),
    Standing.UNKNOWN: Mark("warn", "help-circle", "Unknown to this console"),
}


LACKING = {
    Hearing.NOT_YET: ("warn", "hourglass", "It has not heard of {} yet"),
    Hearing.UNDER_WAY: ("info", "hourglass", "It is hearing of {} now, and says next time whether it holds it"),
    Hearing.DONE: ("bad", "alert-circle", "It does not hold {}"),
}


@dataclass(frozen=True)
class HeldRoot:
    """One fingerprint that the client named; `root` is None for one that is not ours."""

    fingerprint: str
    standing: Standing
    root: Root | None

    @property
    def mark(self) -> Mark:
        """The standing, as it is shown."""
        return MARKS[self.standing]


@dataclass(frozen=True)
class Held:
    """`wanted` is the key that a client of this protocol should hold: the newest root, or legacy-root for Client 7.2.

    `told` is False for a client that has not said yet what it holds; `hearing`: whether it had the time, since that key
    was published, to take it and to say so.
    """

    roots: tuple[HeldRoot, ...]
    wanted: Root | None
    told: bool
    hearing: Hearing = Hearing.DONE

    @property
    def holds_wanted(self) -> bool:
        """Whether the client can follow the newest root."""
        return any(one.standing == Standing.WANTED for one in self.roots)

    @property
    def mark(self) -> Mark:
        """Whether the client holds the right keys, in one mark."""
        if not self.told:
            return Mark("mute", "circle-dashed", "It has not said yet which root keys it holds")
        name = self.wanted.short_name if self.wanted else "the newest root"
        if not self.holds_wanted:
            kind, icon, text = LACKING[self.hearing]
            return Mark(kind, icon, text.format(name))
        if any(one.standing in {Standing.REVOKED, Standing.UNKNOWN} for one in self.roots):
            return Mark("warn", "alert-triangle", f"It holds {name}, and keys that it should not")
        return Mark("ok", "circle-check", f"It holds {name}")


def of(client: Client) -> Held:
    """Return what a client holds; the newest of our keys first, then revoked ones, then what is not ours."""
    wanted = roots.newest(client.server)
    if client.protocol == Protocol.P314:
        wanted = Root.objects.active(client.server).filter(number=None).first()
    fingerprints = client.holding.fingerprints if client.holding else []
    ours = {str(root.fingerprint): root for root in Root.objects.filter(fingerprint__in=fingerprints)}
    hearing = _hearing(client, wanted) if wanted and client.protocol == Protocol.P315 else Hearing.DONE
    return judged(fingerprints, ours, wanted, told=client.holding is not None, hearing=hearing)


def _hearing(client: Client, wanted: Root) -> Hearing:
    """Return how far the first trust list that names the key has come."""
    lists = SignedDocument.objects.filter(
        server=client.server, kind=DocumentKind.TRUST_LIST, audience=EVERYONE, created_at__gte=wanted.activated_at
    )
    published = lists.order_by("sequence").values_list("created_at", flat=True).first()
    return status.hearing(published, client.back_at, client.last_seen)


def judged(
    fingerprints: Iterable[str],
    ours: Mapping[str, Root],
    wanted: Root | None,
    *,
    told: bool,
    hearing: Hearing = Hearing.DONE,
) -> Held:
    """Return every fingerprint with what it is to us."""
    lines = [HeldRoot(one, _standing(ours.get(one), wanted), ours.get(one)) for one in fingerprints]
    order = list(Standing)
    lines.sort(key=lambda line: (order.index(line.standing), line.root.name if line.root else line.fingerprint))
    return Held(tuple(lines), wanted, told, hearing)


def _standing(root: Root | None, wanted: Root | None) -> Standing:
    if root is None:
        return Standing.UNKNOWN
    if root.state == RootState.REVOKED:
        return Standing.REVOKED
    return Standing.WANTED if wanted is not None and root.pk == wanted.pk else Standing.ACTIVE
