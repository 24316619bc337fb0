"""The pages of users and roles, as each reader sees them."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client

from console.accounts.models import User

HTMX = {"HX-Request": "true"}


def test_the_signed_in_user_is_marked(admin_client: Client, auditor: User) -> None:  # NAV-09
    page = admin_client.get("/users/").content.decode()
    rows = re.findall(r'<th scope="row">(.*?)</th>', page, re.DOTALL)
    assert ["You" in row for row in rows] == ["alice" in row for row in rows]
    assert len(rows) == 2


def test_own_row_opens_the_detail_view(admin: User, admin_client: Client) -> None:  # NAV-09
    assert f'href="/users/{admin.pk}/"' in admin_client.get("/users/").content.decode()
    page = admin_client.get(f"/users/{admin.pk}/").content.decode()
    assert "<h1>alice</h1>" in page
    assert "You cannot deactivate yourself" in page


def test_the_list_is_filtered_and_sorted(admin_client: Client, auditor: User, plain_user: User) -> None:
    names = re.compile(r'class="plain" href="/users/[^"]+">([^<]+)<')
    assert names.findall(admin_client.get("/users/?sort=-username").content.decode()) == ["olga", "norman", "alice"]
    part = admin_client.get("/users/?q=NOR", headers=HTMX).content.decode()
    assert names.findall(part) == ["norman"]
    assert "<html" not in part
    assert "No user matches" in admin_client.get("/users/?q=%3Cb%3E").content.decode()
    assert "<b>" not in admin_client.get("/users/?q=%3Cb%3E").content.decode()


def test_the_detail_says_who_granted_a_role(admin_client: Client, auditor: User) -> None:
    page = admin_client.get(f"/users/{auditor.pk}/").content.decode()
    assert "by tests" in page
    assert "Role granted" in page


def test_an_auditor_sees_it_all_and_no_button(auditor_client: Client, admin: User) -> None:  # AMB-35
    TOTP.activate(admin, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    for page in ("/users/", f"/users/{admin.pk}/", "/users/roles/"):
        text = auditor_client.get(page).content.decode()
        assert "alice" in text
        assert not re.search(rf"/users/(new|{admin.pk}/\w)", text)
        assert "JBSWY3DP" not in text


def test_the_last_administrator_is_explained_beforehand(admin_client: Client, admin: User) -> None:
    page = admin_client.get(f"/users/{admin.pk}/").content.decode()
    assert "only active Administrator, so the role stays" in page
    assert "roles/administrator/withdraw" not in page


def test_the_roles_page_names_members(auditor_client: Client, admin: User) -> None:
    page = auditor_client.get("/users/roles/").content.decode()
    assert "manage keys" in page
    assert f'href="/users/{admin.pk}/"' in page


@pytest.mark.parametrize("path", ["/users/{}/", "/users/{}/edit/", "/users/{}/deactivate/"])
def test_a_user_that_does_not_exist(admin_client: Client, path: str) -> None:
    assert admin_client.get(path.format(uuid4())).status_code == 404


def test_a_page_costs_the_same_for_any_number_of_users(
    admin_client: Client, make_user: Callable[..., User], django_assert_max_num_queries: Callable[..., object]
) -> None:
    for number in range(20):
        make_user(f"user{number:02}")
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]
        admin_client.get("/users/")
