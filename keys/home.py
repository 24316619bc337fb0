"""What Home shows of the keys: which roots there are, where they live, and the last backup."""

from datetime import timedelta

from django.http import HttpRequest
from django.urls import reverse

from console.home import Fact, Mark, Panel, Step
from console.lib import clock, durations
from console.servers.current import current
from keys import propagation, tiles
from keys.backups_seen import last
from keys.models.root import Root, RootState
from keys.standing import Standing

BACKUP_AGE = timedelta(days=30)


def root_keys(_request: HttpRequest) -> Panel:
    """Return the root keys with their stores, and what is wrong with them."""
    standing = Standing.read(current())
    active = [root for root in standing.roots if root.is_active]
    open_components = [one for one in propagation.components(standing.server) if not one.done]
    state, summary = _state(standing, sum(one.kind == propagation.OWN for one in open_components))
    lines = [Fact(root.short_name, _where(root, standing), reverse("keys:root", args=[root.pk])) for root in active]
    lines += [Fact(one.name, one.state, reverse("keys:propagation")) for one in open_components]
    return Panel(
        id="root-keys",
        title="Root keys",
        icon="key",
        state=state,
        summary=summary,
        lines=tuple(lines),
        url=reverse("keys:current-server"),
        link_text="Current Server",
    )


def _state(standing: Standing, unfinished: int) -> tuple[Mark, str]:
    if standing.newest is None:
        return Mark.BAD, "No root key: nothing can be signed"
    if any(root.state == RootState.UNKNOWN for root in standing.roots):
        return Mark.WARN, "The outcome of a creation is unknown"
    if unfinished:
        keys = "1 subordinate key does" if unfinished == 1 else f"{unfinished} subordinate keys do"
        return Mark.WARN, f"{keys} not follow {standing.newest.short_name} yet"
    if advice := tiles.advice(standing, clock.now()):
        return Mark.WARN, advice.title
    return Mark.OK, f"{standing.newest.short_name} signs every key in use"


def _where(root: Root, standing: Standing) -> str:
    plan = standing.pending.get(root.pk)
    due = f", to be revoked {durations.relative(plan.due_at, clock.now())}" if plan else ""
    return f"in {root.store_label}{due}"


def last_backup(_request: HttpRequest) -> Panel:
    """Return the last backup; a revocation after it makes it one that must not be restored."""
    backup = last()
    revoked = Root.objects.filter(server=current(), revoked_at__isnull=False).order_by("-revoked_at").first()
    stale = bool(backup and revoked and revoked.revoked_at and backup.created_at < revoked.revoked_at)
    if backup is None:
        state, summary = Mark.WARN, "There is no backup of this server yet"
    elif stale:
        state, summary = Mark.WARN, "Keys were revoked since: back up again"
    elif clock.now() - backup.created_at > BACKUP_AGE:
        state, summary = Mark.WARN, f"The last backup was made {durations.relative(backup.created_at, clock.now())}"
    else:
        state, summary = Mark.OK, f"{backup.label.capitalize()}, {durations.relative(backup.created_at, clock.now())}"
    return Panel(
        id="last-backup",
        title="Last backup",
        icon="archive",
        state=state,
        summary=summary,
        lines=(Fact("Finished", at=backup.created_at),) if backup else (),
        url=reverse("keys:backups"),
        link_text="Backups",
    )


def new_root(_request: HttpRequest) -> Step:
    """Return the step to a root key of one's own making."""
    made = Root.objects.filter(server=current(), state__in=(RootState.ACTIVE, RootState.REVOKED), number__gt=0)
    return Step(
        "Create a root key",
        "Root 0 was made at set-up. Create New Key makes the next one, on the HSM once it is integrated.",
        reverse("keys:current-server"),
        done=made.exists(),
    )
