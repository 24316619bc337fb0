"""What Home, the menu and the pages of users show of groups (NAV-07, NAV-08, ROL-09, GRP-47)."""

import re
from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from console.accounts.models import User
from console.home import Mark
from console.lib import clock
from console.servers.models import Server
from hsm import home
from hsm.models.groups import Connection, ConnectionState, Group, GroupKind, GroupMember, GroupRole

MakeGroup = Callable[..., Group]


@pytest.fixture
def make_group(server: Server) -> MakeGroup:
    """Return a function that makes a group with connections in these states; without any, a software group."""

    def make(title: str, *states: ConnectionState, hsm: bool = True) -> Group:
        group = Group.objects.create(
            server=server,
            title=title,
            kind=GroupKind.HSM if hsm else GroupKind.SOFTWARE,
            created_at=clock.now(),
            created_by="alice",
        )
        for position, state in enumerate(states, 1):
            Connection.objects.create(group=group, position=position, state=state, created_at=clock.now())
        return group

    return make


def join(user: User, group: Group, role: GroupRole = GroupRole.MEMBER) -> None:
    GroupMember.objects.create(group=group, user=user, role=role, added_at=clock.now(), added_by="alice")


def rows(page: str) -> list[str]:
    """Return the text of each row of the table of groups."""
    table = page.partition('id="groups-h"')[2].partition("</section>")[0].partition("<tbody>")[2]
    return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in table.split("<tr>")[1:]]


UP, DOWN, UNTESTED = ConnectionState.CONNECTED, ConnectionState.NOT_CONNECTED, ConnectionState.UNTESTED


def test_a_users_page_lists_exactly_the_groups_of_the_user(
    make_group: MakeGroup, plain_user: User, admin: User, admin_client: Client, user_client: Client
) -> None:
    luna, payroll = make_group("Luna", UP, DOWN), make_group("Payroll", hsm=False)
    ncipher = make_group("nCipher", DOWN)
    make_group("Somebody else's", UP)
    gone = make_group("Gone", UP)
    for group in (luna, payroll, ncipher, gone):
        join(plain_user, group, GroupRole.AUDITOR if group == luna else GroupRole.MEMBER)
    Group.objects.filter(pk=gone.pk).update(deleted_at=clock.now())
    expected = [
        "Luna Auditor Connected 1 of 2 connected",
        "nCipher Member Not Connected",
        "Payroll Member Software group",
    ]
    shown = admin_client.get(reverse("accounts:user", args=[plain_user.pk])).content.decode()
    assert sorted(rows(shown)) == sorted(expected)  # the order of titles is the database's
    assert shown.count('aria-label="HSM group"') == 2
    assert sorted(rows(user_client.get(reverse("accounts:profile")).content.decode())) == sorted(expected)
    assert rows(admin_client.get(reverse("accounts:user", args=[admin.pk])).content.decode()) == []


def test_a_member_without_a_role_finds_groups_on_home_and_in_the_menu(
    make_group: MakeGroup, plain_user: User, user_client: Client
) -> None:
    before = user_client.get("/").content.decode()
    assert "You have no role yet" in before
    assert "Hardware Security" not in before
    join(plain_user, make_group("Luna", UP))
    home_page = user_client.get("/").content.decode()
    assert rows(home_page) == ["Luna Member Connected"]
    assert "You have no role yet" not in home_page
    menu = home_page.partition('id="side"')[2].partition("</nav>")[0]
    assert "Hardware Security" in menu
    for url in (reverse("hsm:groups"), reverse("hsm:objects")):
        assert f'href="{url}"' in menu
        assert user_client.get(url).status_code == 200
    assert reverse("settings_store:list") not in menu


@pytest.mark.parametrize(
    ("states", "mark", "summary"),
    [
        ([], Mark.IDLE, "There is no HSM group"),
        ([[UP]], Mark.OK, "The HSM group is connected"),
        ([[UP], [DOWN, UP]], Mark.OK, "All 2 HSM groups are connected"),
        ([[UP], [DOWN]], Mark.WARN, "1 of 2 HSM groups connected"),
        ([[DOWN], [UNTESTED], []], Mark.BAD, "0 of 3 HSM groups connected"),
    ],
)
def test_home_says_how_many_groups_are_connected(
    make_group: MakeGroup, auditor: User, states: list[list[ConnectionState]], mark: Mark, summary: str
) -> None:
    for number, of in enumerate(states):
        make_group(f"Group {number}", *of)
    make_group("Payroll", hsm=False)
    request = RequestFactory().get("/")
    request.user = auditor
    panel = home.groups(request)
    assert (panel.state, panel.summary) == (mark, summary)
    away = [line.value for line in panel.lines if line.label == "Not Connected"]
    assert away == [f"Group {number}" for number, of in enumerate(states) if UP not in of]
    assert panel.lines[-1].value == "1"


def test_the_step_is_done_when_a_group_exists(make_group: MakeGroup, admin: User) -> None:
    request = RequestFactory().get("/")
    request.user = admin
    assert not home.first_group(request).done
    make_group("Payroll", hsm=False)
    assert home.first_group(request).done
