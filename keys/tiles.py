"""What the key pages show of a root, prepared for the templates: facts in, words out."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from console.jobs.models import Job, State
from console.lib import durations
from console.servers.models import Server
from hsm.device.base import KeySpec
from keys import succession, witnesses
from keys.jobs import WHEN_READY
from keys.models.root import RevocationReason, Root, RootKind, RootState
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import PURPOSES, Purpose
from keys.standing import Standing
from keys.validity import renewal_at
from keys.witnesses import Counted

ROTATE_AT_LEAST = timedelta(days=365)  # KEY-42
ROTATE_AT_MOST = timedelta(days=183)

ALGORITHMS: dict[KeySpec, str] = {
    KeySpec.EC_P256: "ECDSA P-256",
    KeySpec.EC_P384: "ECDSA P-384",
    KeySpec.EC_P521: "ECDSA P-521",
    KeySpec.RSA_2048: "RSA 2048",
    KeySpec.RSA_3072: "RSA 3072",
    KeySpec.RSA_4096: "RSA 4096",
}
STATE_LOOKS: dict[str, tuple[str, str]] = {
    RootState.REQUESTED: ("info", "clock"),
    RootState.CREATING: ("info", "loader-2"),
    RootState.UNKNOWN: ("warn", "help-circle"),
    RootState.ACTIVE: ("ok", "check"),
    RootState.REVOKED: ("", "ban"),
    RootState.FAILED: ("bad", "x"),
    SubordinateState.RETIRED: ("", "history"),
}


@dataclass(frozen=True)
class Badge:
    """A word with an icon; `kind` is ok, warn, bad, info or nothing."""

    text: str
    kind: str = ""
    icon: str = ""


@dataclass(frozen=True)
class Tile:
    """One active root. `why_not` is the reason Revoke Key is unavailable; `plan` its open revocation."""

    root: Root
    badges: tuple[Badge, ...]
    look: str
    algorithm: str
    signs: str
    why_not: str
    footer: str
    plan: Job | None
    plan_fault: str
    used_by: tuple[Counted, ...]

    @property
    def waits(self) -> bool:
        """Whether its revocation waits until nobody needs it."""
        return bool(self.plan and self.plan.params.get(WHEN_READY))

    @property
    def can_revoke(self) -> bool:
        """Whether the button does something."""
        return not self.why_not


def algorithm(root: Root) -> str:
    """Return the kind of key in words."""
    return ALGORITHMS[PURPOSES[Purpose(root.kind)].spec]


def state_badge(state: str, label: str) -> Badge:
    """Return the badge of a state."""
    kind, icon = STATE_LOOKS.get(state, ("", ""))
    return Badge(label, kind, icon)


def tiles(standing: Standing) -> list[Tile]:
    """Return one tile for each active root of this server, newest first, legacy-root last (KEY-12)."""
    active = [root for root in standing.roots if root.is_active]
    active.sort(key=lambda root: -1 if root.number is None else root.number, reverse=True)
    signs = _signed_keys(standing.server)
    faults = _failed_revocations(standing)
    used = witnesses.counted([root for root in active if not root.is_legacy])
    return [_tile(root, standing, signs, faults, used) for root in active]


def _tile(
    root: Root,
    standing: Standing,
    signs: Mapping[UUID, str],
    faults: Mapping[UUID, str],
    used: Mapping[UUID, list[Counted]],
) -> Tile:
    plan = standing.pending.get(root.pk)
    why_not = standing.refusal(root)
    replaced = succession.later(root, standing.roots) if not root.is_legacy else []
    return Tile(
        root=root,
        badges=tuple(_badges(root, standing, replaced)),
        look="retiring" if replaced else "",
        algorithm=algorithm(root),
        signs=signs.get(root.pk, "no key in use"),
        why_not=why_not,
        footer=_footer(why_not, replaced, plan),
        plan=plan,
        plan_fault="" if plan else faults.get(root.pk, ""),
        used_by=tuple(used.get(root.pk, ())),
    )


def _badges(root: Root, standing: Standing, replaced: list[Root]) -> Iterator[Badge]:
    if root.is_legacy:
        yield Badge("Client 7.2 only", icon="lock")
    elif replaced:
        yield Badge("Being replaced", "warn", "clock")
    else:
        yield Badge("Active", "ok", "check")
    if standing.newest and root.pk == standing.newest.pk:
        yield Badge("Newest", "info", "key")
    if root.pk in standing.pending:
        yield Badge("Revocation planned", "warn", "calendar-time")
    if root.on_token:
        yield Badge("On HSM", icon="cpu")


def _footer(why_not: str, replaced: list[Root], plan: Job | None) -> str:
    if plan and plan.state == State.RUNNING:
        return "It is being revoked now."
    if why_not:
        return why_not
    newest = replaced[-1]
    on = f" on {durations.stamp(newest.activated_at, 'date')}" if newest.activated_at else ""
    return f"Replaced by {newest.short_name}{on}."


def _signed_keys(server: Server) -> dict[UUID, str]:
    """Return, by root, how many keys in use it signed, in words."""
    count = Counter(Subordinate.objects.active(server).values_list("root_id", flat=True))
    return {root_id: f"{number} key{'' if number == 1 else 's'} in use" for root_id, number in count.items()}


def _failed_revocations(standing: Standing) -> dict[UUID, str]:
    """Return why the last revocation of an active root failed: it stays on the tile until there is a new plan."""
    faults: dict[UUID, str] = {}
    ids = [str(root.pk) for root in standing.roots if root.is_active]
    jobs = Job.objects.filter(server=standing.server, kind_name="keys.revoke-root", subject_id__in=ids)
    for job in jobs.order_by("created_at"):
        faults[UUID(job.subject_id)] = job.message if job.state == State.FAILED else ""
    return faults


@dataclass(frozen=True)
class Advice:
    """A sentence on how often to rotate (KEY-42); `kind` is warn or info."""

    kind: str
    title: str
    text: str


def advice(standing: Standing, now: datetime) -> Advice | None:
    """Return the reminder that the newest root is a year old, if it is."""
    newest = standing.newest
    if newest is None or newest.activated_at is None or now - newest.activated_at < ROTATE_AT_LEAST:
        return None
    return Advice(
        "warn",
        f"{newest.short_name} is more than a year old.",
        "Without a policy of your own, rotate the root keys at least once every year: create a new key, and revoke "
        "the old one a week later.",
    )


def too_soon(standing: Standing, now: datetime) -> str:
    """Return the warning for a rotation less than six months after the last one; empty when there is none."""
    newest = standing.newest
    rotated = newest is not None and newest.number != 0
    if newest is None or newest.activated_at is None or not rotated or now - newest.activated_at >= ROTATE_AT_MOST:
        return ""
    return (
        f"{newest.short_name} is less than six months old. Without a policy of your own, rotate no more than once "
        "every six months, unless the security of a key is in doubt."
    )


@dataclass(frozen=True)
class Row:
    """A root in the grid All Root Keys."""

    root: Root
    badge: Badge
    use: str
    reason: str
    plan: Job | None


def rows(standing: Standing) -> list[Row]:
    """Return every root of the server, revoked and failed ones too, newest first (LOG-03)."""
    every = sorted(standing.roots, key=lambda root: root.created_at, reverse=True)
    return [
        Row(
            root=root,
            badge=state_badge(root.state, RootState(root.state).label),
            use=RootKind(root.kind).label,
            reason=RevocationReason(root.revocation_reason).label if root.revocation_reason else "",
            plan=standing.pending.get(root.pk),
        )
        for root in every
    ]


@dataclass(frozen=True)
class KeyLine:
    """A subordinate key in a list."""

    key: Subordinate
    label: str
    badge: Badge
    renews_at: datetime | None


def key_line(key: Subordinate) -> KeyLine:
    """Return the line of one subordinate key."""
    badge = state_badge(key.state, SubordinateState(key.state).label)
    renews_at = None
    if key.state == SubordinateState.ACTIVE and key.not_before and key.not_after:
        renews_at = renewal_at(key.not_before, key.not_after, key.window_hours)
    return KeyLine(key, PURPOSES[Purpose(key.purpose)].label, badge, renews_at)
