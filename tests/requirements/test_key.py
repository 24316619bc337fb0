"""Keys: what a rotation is in the log, where a subordinate's private half lies, and what the pages explain."""

import uuid
from collections.abc import Callable
from html import unescape

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry
from console.jobs.models import Job
from console.servers.models import Server
from keys import revocation, setup, stores, witnesses
from keys.actions import Action
from keys.models.keypair import KeyPair
from keys.models.root import RevocationReason, Root, RootKind
from keys.models.subordinate import Subordinate
from keys.purposes import PURPOSES, Purpose, StoreRule
from keys.revocation import Plan
from keys.standing import Standing
from keys.verification import spki_of
from tests.fixtures.softhsm import SoftHsm
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.usefixtures("server")
MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


def text(client: Client, name: str) -> str:
    return unescape(client.get(reverse(f"keys:{name}")).content.decode())


def certificate(key: KeyPair) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(key.certificate_der))


def test_a_rotation_is_two_events_in_the_log(make_root: MakeRoot, run_jobs: RunJobs) -> None:  # KEY-40
    old = make_root()
    before = Entry.objects.count()
    new = make_root()
    seen = revocation.digest(revocation.consequences(old, Standing.read(old.server)))
    revocation.request(old, Plan(RevocationReason.POLICY, "", seen), actor=ALICE)
    run_jobs()
    done = Entry.objects.filter(seq__gt=before, outcome="succeeded").order_by("seq")
    events = [
        (one.action, one.subject_label) for one in done if one.action in {Action.ROOT_CREATED, Action.ROOT_REVOKED}
    ]
    assert events == [(Action.ROOT_CREATED, new.name), (Action.ROOT_REVOKED, old.name)]


def test_private_halves_stay_where_they_were_made(make_root: MakeRoot) -> None:  # KEY-44
    root = make_root()
    for key in Subordinate.objects.filter(root=root):
        with stores.open_device(key) as device:
            found = device.find(key.cka_id)
        assert found is not None
        assert found.has_private
        assert found.spki_der == spki_of(certificate(key))
    elsewhere = {purpose for purpose, facts in PURPOSES.items() if facts.store is StoreRule.ELSEWHERE}
    assert elsewhere == {Purpose.HUB_TLS, Purpose.ZONE_SERVER_TLS, Purpose.ZONE_SERVER_CA, Purpose.CLIENT_TLS}


def test_each_kind_of_key_has_its_algorithm(make_root: MakeRoot, server: Server) -> None:  # AMB-33, KEY-08
    root = make_root()
    setup.make_root(server, RootKind.LEGACY)
    public = certificate(root).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp384r1"
    for key in Subordinate.objects.filter(root=root):
        below = certificate(key).public_key()
        assert isinstance(below, ec.EllipticCurvePublicKey)
        assert below.curve.name == "secp256r1"
    legacy = certificate(Root.objects.get(kind=RootKind.LEGACY)).public_key()
    assert isinstance(legacy, rsa.RSAPublicKey)
    assert legacy.key_size == 3072


def test_two_servers_have_roots_of_their_own(server: Server) -> None:  # KEY-09
    other = Server.objects.create(fqdn="ts2.example.com", sealing_public="00", created_at=server.created_at)
    for one in (server, other):
        setup.make_root(one, RootKind.ROOT)
    assert set(Root.objects.values_list("name", flat=True)) == {"ts1.example.com Root 0", "ts2.example.com Root 0"}
    assert Root.objects.values("fingerprint").distinct().count() == 2


@pytest.mark.parametrize(
    "said",
    [
        "a policy asks for it at intervals, or because their security is in doubt",  # KEY-41
        "no more than once every six months",  # KEY-42
        "registration of clients is faster and takes less processing",  # KEY-52
        "Your own public key infrastructure governs everything else",  # KEY-54
        "trust between them must be approved as well",  # KEY-55
        "do the same in the console of the other server",  # KEY-21, KEY-26
    ],
)
def test_the_page_of_the_keys_explains_them(admin_client: Client, said: str) -> None:
    assert said in text(admin_client, "current-server")


def test_key_pages_lead_to_troubleshooting(make_root: MakeRoot, admin_client: Client) -> None:  # KEY-56
    make_root()
    there = reverse("keys:troubleshooting")
    assert f'href="{there}"' in text(admin_client, "current-server")
    assert "Troubleshooting keys and certificates" in text(admin_client, "troubleshooting")


def test_propagation_shows_each_component_and_its_state(
    make_root: MakeRoot, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:  # KEY-57, KEY-22
    monkeypatch.setattr(witnesses, "_witnesses", {})
    make_root()
    page = text(admin_client, "propagation")
    assert "3 of 3 follow the newest root key" in page
    assert page.count("signed by Root 0") == 3
    make_root()
    Subordinate.objects.filter(purpose="server-tls", state="active").update(state="failed")
    page = text(admin_client, "propagation")
    assert "2 of 3 follow the newest root key" in page
    assert "not made yet" in page
    assert page.count("signed by Root 1") == 2


def test_a_key_names_the_connections_it_serves(make_root: MakeRoot, admin_client: Client) -> None:  # MIS-01
    make_root()
    for key in Subordinate.objects.filter(state="active"):
        page = unescape(admin_client.get(reverse("keys:subordinate", args=[key.pk])).content.decode())
        assert PURPOSES[Purpose(key.purpose)].secures in page
    assert all(facts.secures for facts in PURPOSES.values())


def test_backups_say_what_they_are_not_and_when_to_make_them(
    make_root: MakeRoot, softhsm: SoftHsm, use_token: Callable[..., None], admin_client: Client
) -> None:  # KEY-28, KEY-29, KEY-30, HSI-14
    assert "no identical duplicate" not in text(admin_client, "backups")
    use_token(softhsm.token("alpha"), "Root")
    make_root()
    page = text(admin_client, "backups")
    assert "a backup of pki.db makes no identical duplicate of this server" in page
    assert "Recover from the post-revocation backup" in page
    make_root()
    assert "immediately before and after you revoke" in text(admin_client, "current-server")


def test_no_form_makes_a_second_legacy_root(admin_client: Client, server: Server, run_jobs: RunJobs) -> None:  # KEY-06
    setup.make_root(server, RootKind.LEGACY)
    crafted = {"token": str(uuid.uuid4()), "kind": "legacy-root", "number": "", "name": "legacy-root"}
    admin_client.post(reverse("keys:create"), crafted)
    run_jobs()
    assert Root.objects.filter(kind=RootKind.LEGACY).count() == 1
    assert Root.objects.get(kind=RootKind.ROOT).name == "ts1.example.com Root 0"


def test_legacy_root_has_no_button_and_a_post_is_refused(
    make_root: MakeRoot, server: Server, admin_client: Client
) -> None:  # AMB-10, KEY-07, KEY-16
    make_root(), make_root()
    setup.make_root(server, RootKind.LEGACY)
    legacy = Root.objects.get(kind=RootKind.LEGACY)
    tile = text(admin_client, "current-server").partition(f'id="name-{legacy.pk}"')[2].partition("</li>")[0]
    assert "Client 7.2 only" in tile
    assert "<button" not in tile.partition("<footer>")[2]
    assert reverse("keys:revoke", args=[legacy.pk]) not in tile
    form = {"seen": "0" * 64, "when": "now", "reason": "policy", "backup": "on", "typed": "legacy-root"}
    refused = admin_client.post(reverse("keys:revoke", args=[legacy.pk]), form)
    assert refused.status_code == 403
    assert "legacy-root cannot be revoked" in unescape(refused.content.decode())
    assert admin_client.post(reverse("keys:schedule", args=[legacy.pk])).status_code == 403
    legacy.refresh_from_db()
    assert legacy.is_active
