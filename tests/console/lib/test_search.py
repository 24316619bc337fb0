"""What a page is asked to look for."""

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from console.lib import search


@pytest.mark.parametrize(("asked", "words"), [("  two words ", "two words"), ("a\0b", "a�b"), ("", "")])
def test_words_are_what_every_database_takes(rf: RequestFactory, asked: str, words: str) -> None:
    assert search.words(rf.get("/", {"q": asked})) == words


def test_nobody_is_found_by_a_nul(admin_client: Client) -> None:
    page = admin_client.get(reverse("accounts:users"), {"q": "ad\0min"})
    assert page.status_code == 200
    assert not page.context["rows"]
