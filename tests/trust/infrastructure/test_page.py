"""The page Infrastructure, and keystead.pub."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.lib.actor import Actor
from console.lib.digest import spki_fingerprint
from console.servers.models import Server
from keys.models.root import Root, RootKind
from settings_store import store
from tests.trust import rows

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

PAGE = "/infrastructure/"
KEYSTEAD_PUB = "/infrastructure/keystead.pub"


@pytest.fixture
def legacy_root(server: Server) -> Root:
    """legacy-root with a public key of its own; EC, since only its bytes matter here."""
    spki = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = spki_fingerprint(der)
    return rows.root(server, None, kind=RootKind.LEGACY, name="legacy-root", spki_der=der, fingerprint=fingerprint)


def serve_client_7_2() -> None:
    store.change("enable_protocol_314_flag", "1", scope="Global", seen="default", actor=Actor.system("tests"))


def page(client: Client) -> str:
    return re.sub(r"\s+", " ", client.get(PAGE).content.decode())


def section(shown: str, name: str) -> str:
    """Return the card with this heading."""
    return shown.split(f">{name}</h2>")[1].split("</section>", maxsplit=1)[0]


def test_it_stands_where_the_paths_say(server: Server, admin_client: Client) -> None:  # AMB-27
    shown = page(admin_client)
    assert "<h1>Infrastructure Configuration Files</h1>" in shown
    menu = shown.split("Administration &gt; Configuration")[1]
    assert f'href="{PAGE}"' in menu


def test_two_sections_each_with_download(server: Server, legacy_root: Root, admin_client: Client) -> None:  # BND-03
    rows.root(server, 0)
    serve_client_7_2()
    shown = page(admin_client)
    modern, legacy = section(shown, "Clients v7.4+ and Zone Server"), section(shown, "Clients v7.2")
    assert re.search(r'href="/infrastructure/download/"[^>]*><svg.*?</svg>Download</a>', modern)
    assert 'href="/infrastructure/download/?settings=1"' in modern  # BND-15
    assert re.search(rf'action="{KEYSTEAD_PUB}".*?Download</button>', legacy)


def test_what_to_know_before_a_download(server: Server, admin_client: Client) -> None:
    shown = page(admin_client)
    assert "no public repository, no public internet" in shown  # BND-09
    assert "only to those who deploy clients" in shown  # BND-10
    assert "connect a client that nobody approved, and learn how your organisation uses this product" in shown  # BND-11
    assert "no private key and give no control" in shown  # BND-08
    assert "more 7.2 clients are planned" in section(shown, "Clients v7.2")  # BND-13
    assert "best practice" in section(shown, "Clients v7.4+ and Zone Server")  # BND-14
    assert "servers trust each other first" in shown  # BND-06, as far as there is one server


def test_keystead_pub_is_the_public_key_of_legacy_root(  # BND-02, BND-04
    server: Server, legacy_root: Root, admin_client: Client
) -> None:
    serve_client_7_2()
    answer = admin_client.post(KEYSTEAD_PUB)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="keystead.pub"'
    pem = answer.content.decode()
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert pem.count("-----BEGIN") == 1
    key = load_pem_public_key(answer.content)
    assert key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == bytes(legacy_root.spki_der)
    entry = Entry.objects.get(action="trust.legacy-key.downloaded")
    assert (entry.actor, entry.subject_label) == ("alice", "legacy-root")


def test_without_the_flag_there_is_no_keystead_pub(  # BND-07
    server: Server, legacy_root: Root, admin_client: Client
) -> None:
    legacy = section(page(admin_client), "Clients v7.2")
    assert "/settings/Global:enable_protocol_314_flag/" in legacy.replace("%3A", ":")
    assert 'aria-disabled="true"' in legacy
    refused = admin_client.post(KEYSTEAD_PUB)
    assert refused.status_code == 409
    assert "enable_protocol_314_flag" in refused.content.decode()
    assert not Entry.objects.filter(action="trust.legacy-key.downloaded").exists()
    serve_client_7_2()
    assert admin_client.post(KEYSTEAD_PUB).status_code == 200


def test_without_legacy_root_there_is_no_keystead_pub(server: Server, admin_client: Client) -> None:
    serve_client_7_2()
    assert admin_client.post(KEYSTEAD_PUB).status_code == 409
    assert "legacy-root is not made yet" in page(admin_client)


def test_an_auditor_sees_the_page_and_downloads_nothing(
    server: Server, legacy_root: Root, auditor: User, as_user: Callable[..., Any]
) -> None:
    rows.root(server, 0)
    serve_client_7_2()
    client = as_user(auditor)
    shown = page(client)
    assert "Only an Administrator downloads it." in shown
    assert 'action="/infrastructure/keystead.pub"' not in shown
    assert client.post(KEYSTEAD_PUB).status_code == 403
    assert client.get(reverse("trust:init-file-download")).status_code == 403
