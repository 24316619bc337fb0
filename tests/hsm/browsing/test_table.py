"""The table of all security objects: whose, which, in which order, and what it says when there is nothing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.accounts.models import User
from console.lib import clock
from hsm.browsing.queries import MOST_COUNTED, Wanted
from hsm.models.groups import GroupMember, GroupRole
from hsm.models.objects import SecurityObject
from tests.hsm.browsing.conftest import MakeGroup, MakeKeys

NAME = re.compile(r'id="object-[0-9a-f-]+" href="[^"]+">([^<]+)<')


def shown(client: Client, **query: str) -> list[str]:
    response = client.get(reverse("hsm:objects"), query)
    assert response.status_code == 200
    return NAME.findall(response.content.decode())


def test_keys_of_every_group_stand_in_one_table(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys
) -> None:  # SOB-01, SOB-02, SOB-03
    make_keys(make_group("Luna production"), "virtual")
    make_keys(make_group("Payroll", "software"), "ordinary")
    assert sorted(shown(admin_client)) == ["ordinary", "virtual"]
    page = admin_client.get(reverse("hsm:objects")).content.decode()
    assert page.count('aria-label="HSM group"') == 1
    assert page.count('aria-label="Software group"') == 1


def test_a_user_sees_the_keys_of_their_groups(
    plain_user: User, as_user: Callable[..., Client], make_group: MakeGroup, make_keys: MakeKeys
) -> None:  # ROL-09
    mine, another, others = make_group("mine"), make_group("another"), make_group("others")
    for group in (mine, another, others):
        make_keys(group, f"key of {group.title}")
    client = as_user(plain_user)
    assert shown(client) == []
    assert "No group yet" in client.get(reverse("hsm:objects")).content.decode()
    for group, role in ((mine, GroupRole.AUDITOR), (another, GroupRole.MEMBER)):
        GroupMember.objects.create(group=group, user=plain_user, role=role, added_at=clock.now(), added_by="alice")
    assert sorted(shown(client)) == ["key of another", "key of mine"]
    assert shown(client, q="key of o") == []
    assert "key of others" not in shown(client, group=str(others.pk))
    assert "Add New Security Object" not in client.get(reverse("hsm:objects")).content.decode()


def test_keys_of_deleted_groups_are_gone(admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys) -> None:
    make_keys(make_group("stays"), "here")
    make_keys(make_group("deleted", deleted_at=clock.now()), "gone")
    assert shown(admin_client) == ["here"]


@pytest.mark.parametrize(
    "text", ["Pay", "pAY", "payroll 2026", "LABEL of", "0abc", "0A:BC", "ffee00", "FFEE 00", "  pay  "]
)
def test_a_search_looks_at_how_names_and_identifiers_begin(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, text: str
) -> None:
    group = make_group("Luna")
    make_keys(group, "Payroll 2026", label="label of payroll", key_id="0abc" * 8, fingerprint="ffee00" + "1" * 58)
    make_keys(group, "other", "no Pay in front", "1 of 0abc")
    assert shown(admin_client, q=text) == ["Payroll 2026"]


@pytest.mark.parametrize("text", ["%", "_", "a%", "\\", "'", '"'])
def test_nothing_in_a_search_is_a_pattern(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, text: str
) -> None:
    make_keys(make_group("Luna"), "abc", f"{text} really")
    assert shown(admin_client, q=text) == [f"{text} really".replace("'", "&#x27;").replace('"', "&quot;")]


def test_many_matches_of_a_search_are_found_on_the_way(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsm.browsing.queries.MOST_FOUND", 2)
    make_keys(make_group("Luna"), "x1", "x2", "x3", "y")
    assert shown(admin_client, q="x", sort="name") == ["x1", "x2", "x3"]


@pytest.mark.parametrize(
    ("state", "columns"),
    [
        ("deactivated", {"deactivated_at": clock.now()}),
        ("rotated", {"rotated_at": clock.now()}),
        ("missing", {"missing_since": clock.now()}),
        ("out_of_step", {"out_of_step": True}),
        ("unsettled", {"state": "unknown"}),
    ],
)
def test_each_state_has_a_filter_and_a_badge(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, state: str, columns: dict[str, Any]
) -> None:
    group = make_group("Luna")
    make_keys(group, "marked", **columns)
    make_keys(group, "plain")
    assert shown(admin_client, state=state) == ["marked"]
    badges = {"unsettled": "Outcome unknown", "missing": "Missing in HSM", "out_of_step": "Out of step"}
    page = admin_client.get(reverse("hsm:objects"), {"state": state}).content.decode()
    assert re.search(rf'class="badge [a-z]*">.*?{badges.get(state, state.capitalize())}</span>', page, re.DOTALL)
    if state != "out_of_step":
        assert shown(admin_client, state="usable") == ["plain"]


def test_group_and_type_narrow_it(admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys) -> None:
    one, two = make_group("one"), make_group("two")
    make_keys(one, "pair")
    make_keys(one, "secret", spec="aes-256", key_type="AES", family="secret-key", fingerprint="")
    make_keys(two, "odd", spec="", key_type="0x80000001", bits=None)
    assert sorted(shown(admin_client, group=str(one.pk))) == ["pair", "secret"]
    assert shown(admin_client, spec="aes-256") == ["secret"]
    assert shown(admin_client, spec="other") == ["odd"]
    assert shown(admin_client, spec="aes-256", group=str(two.pk)) == []


def test_pages_follow_each_other_in_every_order(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys
) -> None:
    made = [f"key {number:03}" for number in range(120)]
    make_keys(make_group("Luna"), *made)
    for sort, expected in (("-created_at", made[::-1]), ("created_at", made), ("name", made), ("-name", made[::-1])):
        found, address = [], f"{reverse('hsm:objects')}?sort={sort}"
        while address:
            page = admin_client.get(address).content.decode()
            found += NAME.findall(page)
            following = re.search(r'id="pager-next" href="([^"]+)"', page)
            address = reverse("hsm:objects") + following[1].replace("&amp;", "&") if following else ""
        assert found == expected
    assert shown(admin_client, sort="operations") == made[:-51:-1]  # not one of the orders there are


def test_what_is_no_choice_is_said(admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys) -> None:
    make_keys(make_group("Luna"), "one")
    page = admin_client.get(reverse("hsm:objects"), {"state": "nonsense"}).content.decode()
    assert "The filter is not used" in page


def test_empty_pages_say_what_to_do_next(admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys) -> None:
    page = reverse("hsm:objects")
    assert reverse("hsm:group-new") in admin_client.get(page).content.decode()
    group = make_group("Luna")
    assert "No security object yet" in admin_client.get(page).content.decode()
    make_keys(group, "one")
    nothing = admin_client.get(page, {"q": "zzz"}).content.decode()
    assert "Clear all filters" in nothing


def test_what_a_running_sync_wrote_ahead_is_not_shown(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys
) -> None:
    make_keys(make_group("Luna"), "ahead", state="incoming")
    assert shown(admin_client) == []
    assert SecurityObject.every.count() == 1


def test_the_count_has_an_end(
    admin_client: Client, make_group: MakeGroup, make_keys: MakeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_COUNTED >= 1000
    monkeypatch.setattr("hsm.browsing.queries.MOST_COUNTED", 2)
    make_keys(make_group("Luna"), "one", "two")
    assert "2 objects" in admin_client.get(reverse("hsm:objects")).content.decode()
    make_keys(make_group("nCipher"), "three")
    assert "More than 2 objects" in admin_client.get(reverse("hsm:objects")).content.decode()


def test_more_groups_and_keys_need_no_more_queries(
    auditor: User, as_user: Callable[..., Client], make_group: MakeGroup, make_keys: MakeKeys
) -> None:
    client = as_user(auditor)
    for number in range(2):
        make_keys(make_group(f"early {number}"), "key")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(reverse("hsm:objects"))
    for number in range(8):
        make_keys(make_group(f"late {number}"), *(f"key {one}" for one in range(5)))
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("hsm:objects"))
    assert len(many) <= len(few)


def test_a_search_uses_the_indexes(admin: User, make_group: MakeGroup, make_keys: MakeKeys) -> None:
    make_keys(make_group("Luna"), "one", *(f"key {number}" for number in range(400)))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # which would rather read a small table without an index
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("ANALYZE hsm_securityobject")
    for column in ("name_key", "label_key", "key_id", "fingerprint"):
        plan = SecurityObject.objects.filter(**{f"{column}__begins": "ab"}).explain()
        assert f"object_{column.removesuffix('_key')}_prefix" in plan, plan
        assert "SEARCH" in plan or "Index Cond" in plan, plan
    assert Wanted(q="one").objects(admin).exists()
