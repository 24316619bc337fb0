"""The menu: documented paths, only what a user may open, and where this page is (NAV-01 to NAV-10)."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from console import navigation
from console.accounts.models import User
from console.navigation import NavItem


def items(user: User | AnonymousUser, path: str = "/") -> list[NavItem]:
    """Return every line of the menu, in order."""
    request = RequestFactory().get(path)
    request.user = user
    top = [item for section in navigation.tree(request) for item in section.items]
    return [line for item in top for line in (item, *item.children)]


def test_an_administrator_walks_the_documented_paths(admin: User) -> None:
    labels = [item.label for item in items(admin)]
    for first, then in (("Settings", "Advanced Settings"), ("Key & Trust Management", "Current Server")):
        assert labels.index(then) > labels.index(first)
    assert labels[:2] == ["Home", "Background Jobs"]


def test_who_has_no_role_sees_home_and_help_only(plain_user: User) -> None:
    assert [item.label for item in items(plain_user)] == ["Home", "Help"]


def test_an_app_may_show_an_entry_to_more_users(plain_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "_also", {})
    navigation.show_also("jobs:list", lambda request: request.user == plain_user)
    assert [item.label for item in items(plain_user)] == ["Home", "Background Jobs", "Help"]
    assert items(AnonymousUser()) == []
    navigation.show_also("jobs:list", lambda _request: False)
    assert [item.label for item in items(plain_user)] == ["Home", "Help"]


def test_nobody_sees_nothing() -> None:
    assert items(AnonymousUser()) == []


@pytest.mark.parametrize(
    ("path", "label", "mark"),
    [
        ("/", "Home", "page"),
        ("/keys/", "Current Server", "page"),
        ("/keys/create/", "Current Server", "true"),
        ("/keys/hsm-integration/", "HSM integration", "page"),
        ("/settings/Local:HSMModulePath/", "Advanced Settings", "true"),
    ],
)
def test_the_entry_of_this_page_is_marked_once(admin: User, path: str, label: str, mark: str) -> None:
    assert [(item.label, item.current) for item in items(admin, path) if item.current] == [(label, mark)]


def test_a_page_outside_of_the_menu_marks_nothing(admin: User) -> None:
    assert not [item for item in items(admin, "/account/password/") if item.current]
