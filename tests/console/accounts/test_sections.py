"""Other apps' sections on a user's page and on one's own profile."""

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts import sections
from console.accounts.models import User
from console.accounts.sections import Section


def test_a_section_is_made_once_for_who_is_shown_and_who_looks(
    auditor: User, plain_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "_builders", [])

    def told(shown: User, viewer: User) -> Section:
        return Section("accounts/_state.html", f"{shown} seen by {viewer}")

    sections.register(told)
    sections.register(told)
    found = sections.sections(plain_user, viewer=auditor)
    assert [section.content for section in found] == ["norman seen by olga"]


def test_both_pages_include_the_template(
    auditor: User, auditor_client: Client, plain_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "_builders", [lambda shown, _viewer: Section("accounts/_tabs.html", shown)])
    marker = 'aria-label="Users and roles"'
    page = auditor_client.get(reverse("accounts:user", args=[plain_user.pk])).content.decode()
    own = auditor_client.get(reverse("accounts:profile")).content.decode()
    assert page.count(marker) == own.count(marker) == 1
