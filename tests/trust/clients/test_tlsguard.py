"""Settings of TLS say how many clients they concern, on the form and after the save."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from console.lib import clock
from console.servers.models import Server
from tests.trust import rows
from trust.clients import tlsguard
from trust.models.clients import ClientState

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def fleet(server: Server) -> None:
    """Make two of Client 7.2 without TLS, one with, one that is revoked, and one of Client 7.4 without."""
    clients: dict[str, dict[str, Any]] = {
        "old-1": {"protocol": 314, "using_tls": False},
        "old-2": {"protocol": 314, "using_tls": False},
        "old-3": {"protocol": 314, "using_tls": True},
        "old-4": {
            "protocol": 314,
            "using_tls": False,
            "state": ClientState.REVOKED,
            "revoked_at": clock.now() - timedelta(days=1),
        },
        "new-1": {"protocol": 315, "using_tls": False},
    }
    for name, columns in clients.items():
        rows.client(server, f"{name}.example.com", authenticated=False, **columns)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("require_client_tls_314_flag", "1", "Client 7.2, last registered without TLS: 2."),  # TLS-17
        ("ReportingTLSMode", "2", "Client 7.2, last registered without TLS: 2."),
        ("require_client_tls_315_flag", "0", "Client 7.4 or later, last registered without TLS: 1."),
        ("TLSMode", "0", "Client 7.4 or later, last registered without TLS: 1."),
        ("enable_protocol_314_flag", "1", "Client 7.2, known here: 3."),
    ],
)
def test_the_form_and_the_save_say_how_many(
    fleet: None, admin_client: Browser, setting: str, value: str, said: str
) -> None:
    url = f"/settings/Global:{setting}/"
    assert said in admin_client.get(url).content.decode()
    done = admin_client.post(f"{url}save/", {"seen": "default", "value": value}, follow=True)
    assert said in done.content.decode()


def test_the_number_leads_to_the_names(fleet: None, admin_client: Browser) -> None:
    form = admin_client.get("/settings/Global:ReportingTLSMode/").content.decode()
    found = re.search(r'<a href="([^"]+)">Client Status names them', form)
    assert found
    listed = admin_client.get(html.unescape(found[1])).content.decode()
    assert [name in listed for name in ("old-1.", "old-2.", "old-3.", "new-1.")] == [True, True, False, False]


def test_a_large_fleet_is_not_counted_to_the_end(fleet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tlsguard, "MOST_COUNTED", 1)
    assert "Client 7.2, last registered without TLS: more than 1." in next(
        tlsguard.TlsGuard().notices("ReportingTLSMode")
    )
    assert list(tlsguard.TlsGuard().notices("HSMModulePath")) == []
