"""Client Status: which clients, in which order, what each row says, and what it says when there is none."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.lib import clock
from console.servers.models import Server
from keys.models.root import Root
from tests.trust.clients.status.conftest import MakeClients
from trust.clients import counting
from trust.clients.listing import SORTS, Wanted, listed
from trust.models.clients import NEVER, Client, PendingEnrolment

NAME = re.compile(r'id="client-[0-9a-f-]+" href="[^"]+">([^<]+)<')
UNPROVEN: dict[str, Any] = {"authenticated": False, "using_tls": False, "certificate_until": NEVER}


def shown(browser: Browser, **query: Any) -> list[str]:
    return NAME.findall(text(browser, **query))


def text(browser: Browser, **query: Any) -> str:
    response = browser.get(reverse("trust:clients"), query)
    assert response.status_code == 200
    return response.content.decode()


def line(page: str, name: str) -> str:
    found = re.search(rf'<tr>\s*<th scope="row"><a[^>]+>{re.escape(name)}</a>.*?</tr>', page, re.DOTALL)
    assert found, page
    return re.sub(r"<[^>]+>", " ", found[0])


@pytest.fixture
def fleet(make_clients: MakeClients, old: Root, new: Root) -> None:
    """Two with TLS, below different roots, and two without: Client 7.2 and an unauthenticated name."""
    make_clients("tls-old", root=old, version="7.4.10.1075", registered_with="ts1.example.com")
    make_clients("tls-new", root=new, last_seen=clock.now() - timedelta(hours=1))
    make_clients("plain-314", protocol=314, version="7.2.314.3632", **UNPROVEN)
    make_clients("tls-new", protocol=315, address="10.15.0.9", **UNPROVEN)


@pytest.mark.parametrize(
    ("registered", "names"),
    [
        (["none", "tls", "plain"], ["plain-314", "tls-new", "tls-new", "tls-old"]),
        (["none", "tls"], ["tls-new", "tls-old"]),
        (["none", "plain"], ["plain-314", "tls-new"]),
        (["none"], []),
        ([], ["plain-314", "tls-new", "tls-new", "tls-old"]),
    ],
)
def test_filter_by_registration(
    fleet: None, admin_client: Browser, registered: list[str], names: list[str]
) -> None:  # CLI-01
    assert sorted(shown(admin_client, registered=registered)) == names


def test_both_choices_stand_in_their_section(fleet: None, server: Server, auditor_client: Browser) -> None:  # CLI-01
    counting.count(server)
    page = text(auditor_client)
    assert "<legend>Filter by Registration</legend>" in page
    for words, number in (("Registered using TLS", 2), ("Registered unencrypted", 2)):
        chip = re.search(rf'<label class="chip">(?:(?!</label>).)*{words}(?:(?!</label>).)*</label>', page, re.DOTALL)
        assert chip
        assert re.sub(r"<[^>]+>", "", chip[0]).split()[-2:] == ["about", str(number)]
        assert " checked" in chip[0]


def test_a_row_says_what_the_last_registration_was(fleet: None, admin_client: Browser) -> None:  # CLI-02, CLI-05
    page = text(admin_client)
    old = line(page, "tls-old")
    for words in ("7.4.10.1075", "315", "Yes", "ts1", "Root 0"):
        assert words in old
    assert "ts1.example.com" in old.replace(" ", "")
    legacy = line(page, "plain-314")
    for words in ("7.2.314.3632", "314", "No, unencrypted", "Unauthenticated", "none"):
        assert words in legacy
    assert "Unauthenticated" not in old


def test_the_column_follows_the_last_registration(
    make_clients: MakeClients, admin_client: Browser
) -> None:  # CLI-03, CLI-04, TLS-34
    (client,) = make_clients("a", protocol=314, **UNPROVEN)
    assert "No, unencrypted" in line(text(admin_client), "a")
    Client.objects.filter(pk=client.pk).update(tls_mode=1)
    assert "No, unencrypted" in line(text(admin_client), "a")
    Client.objects.filter(pk=client.pk).update(using_tls=True)
    assert "Yes" in line(text(admin_client), "a")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"protocol": "314"}, ["plain-314"]),
        ({"protocol": "315"}, ["tls-new", "tls-new", "tls-old"]),
        ({"mark": "unproven"}, ["plain-314", "tls-new"]),
        ({"mark": "unproven", "protocol": "315"}, ["tls-new"]),
        ({"mark": "revoked"}, ["tls-old"]),
        ({"mark": "pending"}, ["tls-new"]),
        ({"mark": "pending", "q": "plain"}, []),
        ({"mark": "unaware"}, []),
        ({"root": "old"}, ["tls-old"]),
        ({"root": "old", "registered": ["none", "plain"]}, []),
        ({"q": "TLS"}, ["tls-new", "tls-new", "tls-old"]),
        ({"q": "10.15."}, ["tls-new"]),
        ({"q": "tls", "registered": ["none", "plain"]}, ["tls-new"]),
        ({"q": "ls-"}, []),
        ({"q": "%"}, []),
        ({"q": "tls_"}, []),
    ],
)
def test_filters_narrow_it(
    fleet: None, old: Root, admin_client: Browser, query: dict[str, Any], names: list[str]
) -> None:
    Client.objects.filter(name="tls-old").update(state="revoked", revoked_at=clock.now())
    waiting = Client.objects.get(name="tls-new", authenticated=True)
    PendingEnrolment.objects.create(
        client=waiting, spki_fingerprint="ab" * 32, first_at=clock.now(), last_at=clock.now()
    )
    if query.get("root") == "old":
        query = {**query, "root": str(old.pk)}
    assert sorted(shown(admin_client, **query)) == names


def test_pages_follow_each_other_in_every_order_forwards_and_back(server: Server, admin_client: Browser) -> None:
    now = clock.now()
    made = [
        Client(
            server=server,
            name=f"c{number:03}",
            authenticated=number % 3 != 0,
            protocol=315 if number % 3 else 314,
            using_tls=number % 2 == 0,
            created_at=now,
            last_seen=now - timedelta(minutes=number // 2),
            certificate_until=now + timedelta(days=number) if number % 3 else NEVER,
        )
        for number in range(120)
    ]
    Client.objects.bulk_create(made)
    for sort in ("name", "-name", "last_seen", "-last_seen", "certificate_until", "-certificate_until"):
        expected = list(Client.objects.order_by(sort, "-id" if sort[0] == "-" else "id"))
        if "certificate" in sort:
            expected = [client for client in expected if client.certificate_until > NEVER]
        names, address = [], f"{reverse('trust:clients')}?sort={sort}"
        while address:
            page = admin_client.get(address).content.decode()
            names.append(NAME.findall(page))
            following = re.search(r'id="pager-next" href="([^"]+)"', page)
            address = reverse("trust:clients") + following[1].replace("&amp;", "&") if following else ""
        assert [name for part in names for name in part] == [client.name for client in expected]
        back = re.search(r'id="pager-prev" href="([^"]+)"', page)
        assert back
        before = admin_client.get(reverse("trust:clients") + back[1].replace("&amp;", "&")).content.decode()
        assert NAME.findall(before) == names[-2]
    assert shown(admin_client, sort="address")[0] == shown(admin_client)[0]


def test_a_search_with_many_matches_goes_by_name(
    make_clients: MakeClients, admin_client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trust.clients.listing.MOST_FOUND", 2)
    make_clients("x2", "x1", "x3", "y", address="10.0.0.1")
    page = text(admin_client, q="x")
    assert NAME.findall(page) == ["x1", "x2", "x3"]
    assert "listed by name" in page
    page = text(admin_client, q="10.")
    assert len(NAME.findall(page)) == 2
    assert "Type more of the address" in page


def test_it_counts_nothing_and_needs_as_many_queries_for_many(
    server: Server, new: Root, make_clients: MakeClients, admin_client: Browser
) -> None:
    make_clients("a", "b", root=new)
    with CaptureQueriesContext(connection) as few:
        text(admin_client)
    make_clients(*(f"n{number}" for number in range(30)), root=new)
    with CaptureQueriesContext(connection) as many:
        text(admin_client)
    assert len(many) <= len(few)
    about_clients = [query["sql"].upper() for query in many if "TRUST_CLIENT" in query["sql"].upper()]
    assert about_clients
    assert not any("COUNT(" in sql or "OFFSET" in sql for sql in about_clients)


def test_empty_pages_say_what_to_do_next(make_clients: MakeClients, admin_client: Browser) -> None:
    assert "No client yet" in text(admin_client)
    assert reverse("trust:infrastructure") in text(admin_client)
    make_clients("a")
    nothing = text(admin_client, q="zzz")
    assert "Clear all filters" in nothing
    assert "Neither Registered using TLS nor Registered unencrypted" in text(admin_client, registered="none")


def test_what_is_no_choice_is_said(make_clients: MakeClients, admin_client: Browser) -> None:
    make_clients("a")
    for query in ({"root": "x"}, {"mark": "x"}, {"protocol": "x"}, {"registered": "x"}):
        assert "The filter is not used" in text(admin_client, **query)
    assert admin_client.get(reverse("trust:clients"), {"at": "nonsense"}).status_code == 422


def test_a_fragment_is_only_the_table(make_clients: MakeClients, admin_client: Browser) -> None:
    make_clients("a")
    response = admin_client.get(reverse("trust:clients"), headers={"HX-Request": "true"})
    assert response.content.decode().lstrip().startswith('<div id="grid">')


@pytest.fixture
def indexed(server: Server) -> None:
    """Have PostgreSQL use the indexes that there are: it would rather read a small table without one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for way in ("seqscan", "sort", "bitmapscan"):
                cursor.execute(f"SET LOCAL enable_{way} = off")


def test_every_choice_is_found_by_an_index(server: Server, new: Root, indexed: None) -> None:
    """With nothing known of the table's contents, as on a fresh database."""
    for wanted in (Wanted(), Wanted(root=str(new.pk)), Wanted(mark="unproven"), Wanted(mark="revoked")):
        for sort in SORTS:
            sign = "-" if sort[0] == "-" else ""
            for part in wanted.parts():
                plan = part.order_by(sort, f"{sign}pk").values_list(sort.lstrip("-"), "pk")[:51].explain()
                assert "SEARCH" in plan or "Index" in plan, plan
                assert "TEMP B-TREE" not in plan, plan
                assert "Sort" not in plan, plan


@pytest.mark.parametrize(
    ("wanted", "sorts"), [(Wanted(), SORTS), (Wanted(q="c"), SORTS[:1]), (Wanted(q="10."), SORTS[:1])]
)
def test_no_page_reads_the_whole_table(
    make_clients: MakeClients, indexed: None, wanted: Wanted, sorts: tuple[str, ...]
) -> None:
    make_clients("c1", "c2", "c3", address="10.0.0.1")
    for sort in sorts:
        cursor = listed(wanted, sort=sort, size=1).page.next
        with CaptureQueriesContext(connection) as asked:
            assert len(listed(wanted, sort=sort, cursor=cursor, size=1).page.rows) == 1
        for query in list(asked):
            with connection.cursor() as explaining:
                explaining.execute(f"{connection.ops.explain_query_prefix()} {query['sql']}")
                plan = str(explaining.fetchall())
            assert "Seq Scan on trust_client" not in plan, plan
            assert "SCAN trust_client" not in plan, plan
            assert "SEARCH trust_client" in plan or "Index" in plan, plan
