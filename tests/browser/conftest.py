"""Chromium over a live server. One browser for the run; a page of its own, signed in or not, for each test."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from console.accounts.models import User
from tests.browser.judging import DESKTOP
from tests.browser.world import world
from tests.fixtures.browser import WAIT_MS

__all__ = ["world"]

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer, as_user: Callable[..., Client]) -> Iterator[OpenPage]:
    """Return a function that opens a new page: `open_page(user, scheme="dark", viewport=PHONE, script=False)`."""
    contexts = []

    def make(
        user: User | None = None, *, scheme: str = "light", viewport: ViewportSize | None = None, script: bool = True
    ) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport=viewport or DESKTOP,
            java_script_enabled=script,
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        if user:
            session = as_user(user).cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
