"""What pages show of groups: how their connections stand, and what is in them. Reads rows only."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from console.accounts.models import User
from console.lib.capability import Capability
from hsm.models.groups import Connection, ConnectionState, Group
from hsm.models.objects import ObjectState, SecurityObject


@dataclass(frozen=True)
class Standing:
    """The state of a group in a word or two; `kind` is that of a badge, `icon` says the same."""

    text: str
    kind: str
    icon: str


@dataclass(frozen=True)
class GroupLine:
    """A row of the groups table. `standing` is None for a software group."""

    group: Group
    standing: Standing | None
    keys: int
    members: int


@dataclass(frozen=True)
class Tab:
    """One tab of a group's page."""

    slug: str
    label: str
    url: str
    count: int | None = None


@dataclass(frozen=True)
class Frame:
    """What stands around every page of a group."""

    standing: Standing | None
    tabs: list[Tab]


def standing(connections: Sequence[Connection]) -> Standing:
    """Return how the connections of a group stand."""
    total = len(connections)
    connected = sum(one.state == ConnectionState.CONNECTED for one in connections)
    untested = sum(one.state == ConnectionState.UNTESTED for one in connections)
    if not total:
        return Standing("No connection", "", "circle-minus")
    if untested == total:
        return Standing("Not tested yet", "", "circle-minus")
    if connected == total:
        return Standing("Connected", "ok", "circle-check")
    if total == 1 or not connected:
        return Standing("Not Connected", "warn", "alert-triangle")
    return Standing(f"{connected} of {total} connected", "warn", "alert-triangle")


def lines(groups: QuerySet[Group]) -> list[GroupLine]:
    """Return the rows of the groups table."""
    rows = list(groups.prefetch_related("connections").annotate(member_count=Count("members", distinct=True)))
    living = SecurityObject.objects.filter(group__in=rows).exclude(state=ObjectState.FAILED)
    keys = dict(living.order_by().values_list("group").annotate(Count("id")))
    return [
        GroupLine(
            group,
            standing(list(group.connections.all())) if group.is_hsm else None,
            keys.get(group.pk, 0),
            group.member_count,
        )
        for group in rows
    ]


def frame(group: Group, user: User) -> Frame:
    """Return the badge and the tabs of a group's pages, for this user."""
    keys = key_count(group)
    tabs = [Tab("info", "Info", reverse("hsm:group", args=[group.pk]))]
    if group.is_hsm:
        tabs.append(Tab("hsm", "HSM", reverse("hsm:group-hsm", args=[group.pk])))
    query = urlencode({"group": group.pk})
    tabs += [
        Tab("objects", "Security objects", f"{reverse('hsm:objects')}?{query}", keys),
        Tab("members", "Members", reverse("hsm:members", args=[group.pk]), group.members.count()),
    ]
    if user.may(Capability.READ):
        about = urlencode({"subject_kind": "group", "subject_id": group.pk})
        tabs.append(Tab("activity", "Activity", f"{reverse('activity:list')}?{about}"))
    return Frame(standing(list(group.connections.all())) if group.is_hsm else None, tabs)


def key_count(group: Group) -> int:
    """Return how many keys, or virtual keys, the group has."""
    return group.security_objects.exclude(Q(state=ObjectState.FAILED)).count()
