"""The remaining rows, and readings of open points: help texts, rules that know no platform, and warnings at start."""

import ast
from html import unescape
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from console import checks
from console.env import BASE_DIR
from console.servers.models import Server
from console.support import SOUNDS_SECRET

RULES = ("settings_store", "keys")


def text(client: Client, url: str) -> str:
    return " ".join(unescape(client.get(url).content.decode()).split())


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("hsm", "to speed up cryptographic operations, or to keep keys safe. Few have both reasons"),  # DMN-33
        ("hsm", "Boxes on the network (TCP/IP), on USB or RS-232"),  # MIS-07
        ("hsm", "the private key never leaves it. It resists being opened"),  # MIS-08
        ("tls", "A TLS client starts the handshake towards a server"),  # MIS-04, the text
        ("tls", "Only Client 7.4 or later encrypts it with TLS"),  # MIS-02, TLS-06, the text
        ("tls", "In most deployments the hub is on the same host as the server"),  # TLS-07, the text
        ("tls", "The Zone Server, when it registers with the server"),  # TLS-08, the text
        ("tls", "The server that begins the sync"),  # TLS-08, the text
        ("tls", "a device in between that decrypts and inspects is refused"),  # TLS-02, the text
        ("tls", "Between servers, hub and Zone Server TLS is always required"),  # TLS-13, the text
        ("tls", "Go to 2 first; to 1 when TLS is reliable"),  # TLS-28
        ("tls", "The three have no effect in any other mode"),  # TLS-29
        (
            "clients",
            "Client 7.4 or later needs a <code>keystead-init.dat</code> for every fresh installation",
        ),  # BND-12
        ("clients", "Upgraded clients and more 7.2 clients planned: use keystead.pub"),  # BND-13
        ("clients", "Upgraded clients and new 7.4 clients planned: keystead-init.dat is the best practice"),  # BND-14
        ("clients", "Four hours before the end (<code>PKIClientTLSKeyRenewalWindowHours</code>)"),  # ROT-02, ROT-20
        ("clients", "Old and new key are both accepted meanwhile"),  # ROT-03
        ("clients", "<code>Logs/pki.log</code> and <code>Logs/pki-tls.log</code>"),  # HSI-44, the text
        ("tls", "<code>?sslmode=verify-full</code>"),  # MIS-06
        ("tls", "Also for the server role on an Appliance: the rules are the same on every platform"),  # MIS-03
        ("trouble", "Where to look"),  # AMB-45
    ],
)
def test_help_says_it(user_client: Client, server: Server, page: str, said: str) -> None:
    assert said in text(user_client, f"/help/{page}/")


def test_the_page_of_connections_leads_to_the_hsm_and_numbers_the_six(user_client: Client, server: Server) -> None:
    page = text(user_client, "/help/tls/")  # MIS-01, MIS-05
    assert f'href="{reverse("keys:integration")}"' in page
    six = page.partition("Secured by the platform protocol")[2].partition("</ol>")[0]
    order = ["Server to server", "Servers to hub", "Hub to Zone Server", "External clients to Zone Server",
             "Internal clients to servers", "Client to client"]  # fmt: skip
    places = [six.index(f"<li>{line}</li>") for line in order]
    assert places == sorted(places)
    assert six.count("<li>") == 6


def test_no_rule_asks_which_platform_it_runs_on() -> None:  # MIS-03
    for path in (path for folder in RULES for path in (BASE_DIR / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                asked = (node.value.id, node.attr)
                assert asked not in {("sys", "platform"), ("os", "name")}, path
                assert node.value.id != "platform", path


@pytest.mark.parametrize(
    ("host", "options", "warns"),
    [
        ("db.example.com", {}, True),
        ("db.example.com", {"sslmode": "prefer"}, True),
        ("db.example.com", {"sslmode": "verify-full"}, False),
        ("127.0.0.1", {}, False),
        ("/run/postgresql", {}, False),
        ("", {}, False),
    ],
)
def test_a_database_elsewhere_without_tls_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, host: str, options: dict[str, str], warns: bool
) -> None:  # MIS-06
    there = SimpleNamespace(DATABASES={"default": {"HOST": host, "OPTIONS": options}})
    monkeypatch.setattr(checks, "settings", there)
    found = checks.database_encryption()
    assert [message.id for message in found] == (["console.W001"] if warns else [])


def test_every_protected_setting_sounds_like_one() -> None:  # MIS-09: the bundle masks by type, and by name as well
    from settings_store.catalogue import ENTRIES, ValueType

    protected = [name for name, entry in ENTRIES.items() if entry.value_type is ValueType.PROTECTED]
    assert protected
    assert all(SOUNDS_SECRET.search(name) for name in protected)


def test_troubleshooting_leads_to_the_support_bundle(auditor_client: Client, server: Server) -> None:  # MIS-09
    page = text(auditor_client, "/help/trouble/")
    assert f'href="{reverse("console:support")}"' in page
    assert "Make" in text(auditor_client, reverse("console:support"))
