"""What Home, the menu and the pages of users show of groups. It reads the database only."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from console.accounts.asking import user_of
from console.accounts.models import User
from console.accounts.sections import Section
from console.home import Fact, Mark, Panel, Step
from hsm.groups import overview
from hsm.models.groups import ConnectionState, Group, GroupMember
from hsm.rights import sees_a_group, visible_groups

MOST_LINES = 6


@dataclass(frozen=True)
class UserGroup:
    """A group of a user: the role there, and whether the HSM is connected; None for a software group."""

    group: Group
    role: str
    connected: bool | None
    note: str = ""


def is_connected(group: Group) -> bool:
    """Return whether a connection of the group works, so that its keys can be used."""
    return any(one.state == ConnectionState.CONNECTED for one in group.connections.all())


def groups_of(shown: User, viewer: User) -> Section:
    """Return the groups that a user belongs to, for the user's page (ROL-09, GRP-47)."""
    mine = GroupMember.objects.filter(user=shown, group__in=visible_groups(viewer))
    rows = mine.select_related("group").prefetch_related("group__connections").order_by("group__title")
    content = {"groups": [_of_user(one) for one in rows], "shown": shown, "is_own": shown == viewer}
    return Section("hsm/members/of_user.html", content)


def _of_user(membership: GroupMember) -> UserGroup:
    group, role = membership.group, membership.get_role_display()
    if not group.is_hsm:
        return UserGroup(group, role, None)
    told = overview.standing(list(group.connections.all())).text
    return UserGroup(group, role, is_connected(group), "" if told in {"Connected", "Not Connected"} else told)


def in_menu(request: HttpRequest) -> bool:
    """Return whether Groups and Security Objects have something for a user without a role in the console."""
    return sees_a_group(user_of(request))


def groups(request: HttpRequest) -> Panel:
    """Show how many HSM groups are connected; for Environment Status."""
    seen = list(visible_groups(user_of(request)).prefetch_related("connections"))
    of_hsm = [group for group in seen if group.is_hsm]
    away = [group for group in of_hsm if not is_connected(group)]
    lines = [
        Fact("Not Connected", group.title, reverse("hsm:group-hsm", args=[group.pk])) for group in away[:MOST_LINES]
    ]
    lines.append(Fact("Software groups", str(len(seen) - len(of_hsm))))
    state, summary = _state(len(of_hsm) - len(away), len(of_hsm))
    return Panel("groups", "HSM groups", "cpu", state, summary, tuple(lines), reverse("hsm:groups"), "Groups")


def _state(connected: int, of: int) -> tuple[Mark, str]:
    if not of:
        return Mark.IDLE, "There is no HSM group"
    if connected == of:
        return Mark.OK, "The HSM group is connected" if of == 1 else f"All {of} HSM groups are connected"
    return Mark.WARN if connected else Mark.BAD, f"{connected} of {of} HSM groups connected"


def first_group(request: HttpRequest) -> Step:
    """Propose a group: keys that applications use live in one."""
    text = "Keys live in groups: in an HSM, reached through a gateway or a module, or in this server's pki.db."
    return Step("Create a group", text, reverse("hsm:group-new"), done=visible_groups(user_of(request)).exists())
