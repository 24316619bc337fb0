"""The tab Members of a group: who sees it, who may change it, and what a form does (ROL-09)."""

from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.lib import clock
from console.servers.models import Server
from hsm.actions import Action
from hsm.models.groups import Group, GroupKind, GroupMember, GroupRole


@pytest.fixture
def group(server: Server) -> Group:
    return Group.objects.create(
        server=server, title="Luna production", kind=GroupKind.SOFTWARE, created_at=clock.now(), created_by="alice"
    )


@pytest.fixture
def keeper(group: Group, make_user: Callable[..., User]) -> User:
    """Return the HSM administrator of the group, who has no role in the console."""
    user = make_user("kim")
    join(user, group, GroupRole.ADMINISTRATOR)
    return user


def join(user: User, group: Group, role: GroupRole) -> None:
    GroupMember.objects.create(group=group, user=user, role=role, added_at=clock.now(), added_by="alice")


def roles(group: Group) -> dict[str, str]:
    return dict(group.members.values_list("user__username", "role"))


def test_a_member_is_added_changed_and_removed_without_javascript(
    group: Group, admin_client: Client, plain_user: User
) -> None:
    page = reverse("hsm:members", args=[group.pk])
    add = reverse("hsm:member-add", args=[group.pk])
    assert add in admin_client.get(page).content.decode()
    assert admin_client.get(add).status_code == HTTPStatus.OK
    answer = admin_client.post(add, {"username": plain_user.username, "role": "member"}, follow=True)
    assert answer.redirect_chain == [(page, HTTPStatus.FOUND)]
    assert "norman is now Member of “Luna production”." in answer.content.decode()
    change = reverse("hsm:member-role", args=[group.pk, plain_user.pk])
    admin_client.post(change, {"role": "administrator"})
    assert roles(group) == {"norman": "administrator"}
    remove = reverse("hsm:member-remove", args=[group.pk, plain_user.pk])
    assert "Remove norman from Luna production?" in admin_client.get(remove).content.decode()
    assert roles(group) == {"norman": "administrator"}
    admin_client.post(remove)
    assert roles(group) == {}
    actions = Entry.objects.filter(subject_id=str(group.pk)).order_by("seq").values_list("action", flat=True)
    assert list(actions) == [Action.MEMBER_ADDED, Action.MEMBER_CHANGED, Action.MEMBER_REMOVED]


def test_a_dialog_does_the_same(group: Group, admin_client: Client, plain_user: User) -> None:
    add, htmx = reverse("hsm:member-add", args=[group.pk]), {"HX-Request": "true"}
    assert admin_client.get(add, headers=htmx).content.decode().lstrip().startswith("<dialog")
    refused = admin_client.post(add, {"username": "nobody", "role": "member"}, headers=htmx)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "There is no active user of this name" in refused.content.decode()
    done = admin_client.post(add, {"username": "NORMAN", "role": "auditor"}, headers=htmx)
    assert done.headers["HX-Redirect"] == reverse("hsm:members", args=[group.pk])
    assert roles(group) == {"norman": "auditor"}


@pytest.mark.parametrize(
    "data",
    [
        {"username": "norman"},
        {"username": "norman", "role": "owner"},
        {"role": "member"},
        {"username": "x" * 65, "role": "member"},
    ],
)
def test_a_form_with_a_fault_changes_nothing(
    group: Group, admin_client: Client, plain_user: User, data: dict[str, str]
) -> None:
    answer = admin_client.post(reverse("hsm:member-add", args=[group.pk]), data)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "<title>Error: " in answer.content.decode()
    assert roles(group) == {}


def test_an_administrator_of_a_group_manages_that_group_only(
    group: Group, server: Server, keeper: User, as_user: Callable[..., Client], plain_user: User
) -> None:
    other = Group.objects.create(
        server=server, title="Other", kind=GroupKind.SOFTWARE, created_at=clock.now(), created_by="alice"
    )
    client = as_user(keeper)
    data = {"username": plain_user.username, "role": "member"}
    assert client.post(reverse("hsm:member-add", args=[group.pk]), data).status_code == HTTPStatus.FOUND
    assert client.post(reverse("hsm:member-add", args=[other.pk]), data).status_code == HTTPStatus.NOT_FOUND
    join(keeper, other, GroupRole.MEMBER)
    assert client.post(reverse("hsm:member-add", args=[other.pk]), data).status_code == HTTPStatus.FORBIDDEN
    newest = Entry.objects.latest("seq")
    assert (newest.action, newest.actor, newest.outcome) == ("access.refused", "kim", "refused")
    assert roles(other) == {"kim": "member"}


def test_who_has_no_role_in_the_console_sees_no_list_of_its_users(
    group: Group, keeper: User, as_user: Callable[..., Client], admin: User, admin_client: Client
) -> None:
    add, page = reverse("hsm:member-add", args=[group.pk]), reverse("hsm:members", args=[group.pk])
    assert f'<option value="{admin.username}">' in admin_client.get(add).content.decode()
    own = as_user(keeper)
    assert "<option" not in own.get(add).content.decode()
    assert reverse("accounts:user", args=[keeper.pk]) not in own.get(page).content.decode()
    assert reverse("accounts:user", args=[keeper.pk]) in admin_client.get(page).content.decode()


def test_who_leaves_lands_where_there_is_something_to_see(
    group: Group, keeper: User, as_user: Callable[..., Client]
) -> None:
    client = as_user(keeper)
    answer = client.post(reverse("hsm:member-remove", args=[group.pk, keeper.pk]), follow=True)
    assert answer.redirect_chain == [(reverse("hsm:groups"), HTTPStatus.FOUND)]
    assert answer.status_code == HTTPStatus.OK
    assert client.get(reverse("hsm:members", args=[group.pk])).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("role", [GroupRole.MEMBER, GroupRole.AUDITOR])
def test_a_member_looks_and_has_no_button(group: Group, plain_user: User, user_client: Client, role: GroupRole) -> None:
    join(plain_user, group, role)
    page = user_client.get(reverse("hsm:members", args=[group.pk])).content.decode()
    assert role.label in page
    assert "You</span>" in page
    assert reverse("hsm:member-add", args=[group.pk]) not in page
    assert reverse("hsm:member-remove", args=[group.pk, plain_user.pk]) not in page


def test_a_deactivated_member_is_marked(group: Group, plain_user: User, admin_client: Client) -> None:
    join(plain_user, group, GroupRole.MEMBER)
    User.objects.filter(pk=plain_user.pk).update(is_active=False)
    assert "Deactivated" in admin_client.get(reverse("hsm:members", args=[group.pk])).content.decode()
