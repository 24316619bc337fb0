"""Fixtures of the infrastructure files: roots made the way the product makes them, and a browser that downloads."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.jobs.models import Job
from console.servers.models import Server
from keys.models.root import Root
from tests.keys.conftest import make_root, move_clock, use_token

__all__ = ["Browser", "asker", "browser", "make_root", "move_clock", "use_token"]

FORM = {"most_uses": "25", "days": "7", "note": "Berlin office"}


@dataclass
class Browser:
    """An administrator's browser at the page Infrastructure."""

    client: Client
    run_jobs: Callable[..., list[Job]]

    def ask(self, **changes: str) -> Any:
        """Send the form of a download; return the answer."""
        path = reverse("trust:init-file-download")
        query = "?settings=1" if "server_names" in changes else ""
        return self.client.post(f"{path}{query}", {"token": str(uuid.uuid4()), **FORM, **changes})

    def download(self, **changes: str) -> bytes:
        """Download a file, as far as its contents."""
        place = self.ask(**changes).headers["Location"]
        self.run_jobs()
        answer = self.client.get(f"{place}keystead-init.dat")
        assert answer.status_code == 200, answer.content.decode()
        return bytes(answer.content)


@pytest.fixture
def asker(server: Server, admin_client: Client, run_jobs: Callable[..., list[Job]]) -> Browser:
    """Return the browser of the administrator of a server without a key."""
    return Browser(admin_client, run_jobs)


@pytest.fixture
def browser(make_root: Callable[..., Root], asker: Browser) -> Browser:
    """Return the browser of the administrator of a server with a root."""
    make_root()
    return asker
