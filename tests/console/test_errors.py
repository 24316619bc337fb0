"""The database goes away: a page that needs no database says so, and what was asked for is not done."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from console.servers.models import Server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def without_database(admin_client: Client) -> Iterator[Client]:
    """Give a signed-in client whose next request finds no database."""
    before = dict(connection.settings_dict)
    connection.close()
    away = {"NAME": "/nowhere/keystead.db"} if connection.vendor == "sqlite" else {"HOST": "127.0.0.1", "PORT": "1"}
    connection.settings_dict.update(away)
    admin_client.raise_request_exception = False
    yield admin_client
    connection.close()
    connection.settings_dict.update(before)


@pytest.mark.parametrize("path", ["/", "/keys/", "/settings/", "/activity/"])
def test_a_database_that_is_gone_is_said_to_be(without_database: Client, path: str) -> None:
    response = without_database.get(path)
    assert response.status_code == 503
    assert "cannot be reached" in response.content.decode()


def test_a_form_that_was_sent_is_not_taken(without_database: Client) -> None:
    response = without_database.post("/settings/add/", {"name": "x", "scope": "Local"})
    assert response.status_code == 503
    assert "was not done" in response.content.decode()


def test_another_error_is_a_500_that_tells_nothing(
    admin_client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_request: object) -> None:
        raise ZeroDivisionError("PIN 4711")

    monkeypatch.setattr("console.home.panels", broken)
    admin_client.raise_request_exception = False
    response = admin_client.get("/")
    assert response.status_code == 500
    assert "4711" not in response.content.decode()


def test_an_address_that_leads_nowhere_keeps_the_menu(admin_client: Client, server: Server) -> None:
    response = admin_client.get("/nowhere/")
    assert response.status_code == 404
    page = response.content.decode()
    assert "There is nothing at this address" in page
    assert "Current Server" in page
    assert "Go back" not in page


def test_a_refusal_leads_back_to_where_it_was_asked_for(admin_client: Client, server: Server) -> None:
    def page(referer: str) -> str:
        return admin_client.get("/nowhere/", headers={"Referer": referer}).content.decode()

    assert '<a class="btn primary" href="/keys/?a=b">' in page("http://localhost/keys/?a=b")
    assert "Go back" not in page("https://elsewhere.example/keys/?a=b")
    assert "Go back" not in page("http://localhost/nowhere/")
    assert 'href="/elsewhere.example/"' in page("http://localhost//elsewhere.example/")


def test_nobody_learns_from_a_404_what_there_is(client: Client) -> None:
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "Current Server" not in response.content.decode()
