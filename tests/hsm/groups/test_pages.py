"""The pages of groups: what each says, and what its forms do. Without JavaScript, and by htmx."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry, Outcome
from console.jobs.models import Job
from console.lib.actor import Actor, ActorKind
from console.servers.models import Server
from hsm.actions import Action
from hsm.groups import creation, editing
from hsm.jobs import TEST_CONNECTIONS
from hsm.models.groups import Connection, ConnectionKind, Group, HsmType, Policy, Scan, Trust
from tests.fixtures.softhsm import Token

ALICE = Actor(ActorKind.USER, "alice", "1")
NEW = "hsm:group-new"
FRAGMENT = {"HX-Request": "true"}


def text(response: object) -> str:
    return unescape(response.content.decode())  # type: ignore[attr-defined]


@pytest.fixture
def linked(server: Server) -> dict[str, str]:
    """Return what the form sends for a group whose gateway is not there."""
    return {
        "act": "save",
        "linked": "yes",
        "title": "Luna production",
        "description": "Root keys.",
        "hsm_type": HsmType.LUNA,
        "kind": ConnectionKind.GATEWAY,
        "address": "hmg-1.invalid",
        "port": "4442",
        "slot": "0x3",
        "pin": "24681357",
        "trust": Trust.GLOBAL,
        "validate_host": "on",
    }


def test_without_a_group_the_page_says_what_is_next(server: Server, admin_client: Client) -> None:
    page = text(admin_client.get(reverse("hsm:groups")))
    assert "No group yet" in page
    assert reverse(NEW) in page


def test_the_form_is_an_ordinary_group_until_the_button_is_pressed(server: Server, admin_client: Client) -> None:
    page = text(admin_client.get(reverse(NEW)))  # GRP-01, GRP-03
    assert "<h1>Add new group</h1>" in page
    assert "LINK HSM/EXTERNAL KMS" in page
    assert "HMG IP-address" not in page
    page = text(admin_client.post(reverse(NEW), {"act": "link", "title": "Luna"}))
    for words in ("HSM Type", "HMG IP-address", "Port", "Slot", "PIN", "TEST CONNECTION", "SAVE", "Validate Host"):
        assert words in page
    assert 'value="Luna"' in page
    assert 'value="4442"' in page  # GRP-06
    assert re.search(r'<input type="password" name="pin"', page)  # GRP-10


def test_the_hsm_types_and_the_two_configurations(server: Server, admin_client: Client) -> None:  # GRP-04, GRP-12
    page = text(admin_client.post(reverse(NEW), {"act": "link"}))
    types = re.search(r'<select name="hsm_type".*?</select>', page, re.DOTALL)
    assert types
    assert [words.strip() for words in re.findall(r"<option[^>]*>([^<]+)<", types[0])] == [
        "nCipher HSM",
        "SafeNet Luna",
        "AWS CloudHSM",
        "SoftHSM2 (development)",  # AMB-15, and no control for any other back end (AMB-17)
        "Other PKCS#11",
    ]
    assert re.findall(r'name="kind" value="(\w+)"', page) == ["gateway", "module"]  # AMB-42
    for words in ("ADD CONFIGURATION", "Client Certificate"):
        assert words in page
    assert page.count('name="trust"') == 2
    assert "Global Root CA" in page
    assert "Custom CA Certificate" in page
    assert "pkcs11-tool -L --module /opt/nfast/toolkits/pkcs11/libcknfast.so" in page  # GRP-08
    for words in ("--init-pin", "--change-pin", "security officer"):  # GRP-11, ROL-08
        assert words in page


def test_a_group_without_an_hsm(server: Server, admin_client: Client) -> None:  # GRP-02
    response = admin_client.post(reverse(NEW), {"act": "save", "title": "", "description": ""})
    assert response.status_code == 422
    assert "Enter a title." in text(response)
    response = admin_client.post(reverse(NEW), {"act": "save", "title": "Payroll", "description": "Keys."})
    group = Group.objects.get()
    assert response.headers["Location"] == reverse("hsm:group", args=[group.pk])
    assert not group.is_hsm
    page = text(admin_client.get(reverse("hsm:groups")))
    assert "Software group" in page
    assert "HSM group" not in page  # GRP-39
    assert reverse("hsm:group-hsm", args=[group.pk]) not in text(admin_client.get(response.headers["Location"]))
    assert admin_client.get(reverse("hsm:group-hsm", args=[group.pk])).status_code == 404  # GRP-28


def test_a_group_with_a_dead_gateway_is_saved(
    linked: dict[str, str], admin_client: Client, run_jobs: Callable[..., list[Job]]
) -> None:  # GRP-21, GRP-22
    response = admin_client.post(reverse(NEW), linked)
    group = Group.objects.get()
    assert response.headers["Location"] == reverse("hsm:group-hsm", args=[group.pk])
    connection = group.connections.get()
    assert (connection.address, connection.port, connection.slot) == ("hmg-1.invalid", 4442, "3")
    assert (group.policy, group.scan, group.trust) == (Policy.KEEP, Scan.ALL, Trust.GLOBAL)  # POL-03, POL-16
    assert b"24681357" not in bytes(connection.sealed_pin or b"")
    assert [job.kind_name for job in run_jobs()] == [TEST_CONNECTIONS.name]
    page = text(admin_client.get(response.headers["Location"]))
    for words in ("Not Connected", "SafeNet Luna", "hmg-1.invalid:4442", "Slot 3 (0x3)", "Stored, hidden"):
        assert words in page
    assert "24681357" not in page
    assert "HSM group" in text(admin_client.get(reverse("hsm:groups")))


def test_nothing_but_the_title_is_needed(linked: dict[str, str], admin_client: Client) -> None:  # GRP-21
    empty = {**linked, "address": "", "slot": "", "pin": "", "port": ""}
    assert admin_client.post(reverse(NEW), empty).status_code == 302
    connection = Connection.objects.get()
    assert (connection.address, connection.port, connection.slot, connection.sealed_pin) == ("", 4442, "", None)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("address", "hmg 1", "no blanks"),  # GRP-05
        ("address", "https://hmg-1", "without https://"),
        ("address", "hmg-1:4442", "port in its own field"),
        ("port", "0", "1 to 65535"),  # GRP-06
        ("port", "70000", "1 to 65535"),
        ("slot", "three", "A slot is a number"),  # GRP-07
        ("title", "", "Enter a title."),
    ],
)
def test_what_could_never_be_right_is_flagged(
    linked: dict[str, str], admin_client: Client, field: str, value: str, said: str
) -> None:
    response = admin_client.post(reverse(NEW), {**linked, field: value})
    assert response.status_code == 422
    assert said in text(response)
    assert not Group.objects.exists()


def test_a_title_is_taken_once(linked: dict[str, str], admin_client: Client) -> None:
    admin_client.post(reverse(NEW), linked)
    response = admin_client.post(reverse(NEW), linked)
    assert response.status_code == 422
    assert "There is a group named “Luna production” already" in text(response)
    assert Entry.objects.get(action=Action.GROUP_CREATED, outcome=Outcome.REFUSED)
    assert Group.objects.count() == 1


def test_only_administrators_make_groups(linked: dict[str, str], auditor_client: Client, user_client: Client) -> None:
    for client in (auditor_client, user_client):
        assert client.post(reverse(NEW), linked).status_code == 403
    assert not Group.objects.exists()


def options(page: str, name: str) -> list[tuple[str, bool]]:
    """Return the radio buttons of a name: what each says, and whether it is the selected one."""
    found = re.findall(rf'<input type="radio" name="{name}"([^>]*)>(.*?)</label>', page, re.DOTALL)
    return [(re.sub("<[^>]+>", "", words).strip(), "checked" in attributes) for attributes, words in found]


def test_info_shows_policy_and_scan_in_their_exact_words(
    module_group: Callable[..., Group], token: Token, admin_client: Client
) -> None:  # POL-01, POL-03, POL-04, POL-14, POL-15, POL-16, POL-17
    group = module_group(token)
    page = text(admin_client.get(reverse("hsm:group", args=[group.pk])))
    assert "EDIT POLICY" in page
    policies = [
        ("Do not apply changes performed on virtual keys in Keystead to corresponding keys in HSM", True),
        ("Apply changes performed on virtual keys in Keystead to corresponding keys in HSM", False),
    ]
    scans = [
        ("Applicable for all keys in HSM slot", True),
        ("Applicable only to keys created from Keystead group in HSM slot", False),
    ]
    assert (options(page, "policy"), options(page, "scan")) == (policies, scans)
    for name, shown in (("hsm:group-policy", policies), ("hsm:group-scan", scans)):
        assert options(text(admin_client.get(reverse(name, args=[group.pk]))), "choice") == shown


def test_policy_and_scan_are_switched(
    module_group: Callable[..., Group], token: Token, admin_client: Client
) -> None:  # POL-04
    group = module_group(token)
    url = reverse("hsm:group-policy", args=[group.pk])
    assert admin_client.post(url, {"choice": Policy.APPLY, "seen": Policy.KEEP}).status_code == 302
    url = reverse("hsm:group-scan", args=[group.pk])
    assert admin_client.post(url, {"choice": Scan.OWN, "seen": Scan.ALL}).status_code == 302
    group.refresh_from_db()
    assert (group.policy, group.scan) == (Policy.APPLY, Scan.OWN)
    assert Entry.objects.filter(action__in=(Action.GROUP_POLICY_CHANGED, Action.GROUP_SCAN_CHANGED)).count() == 2


def test_two_browsers_at_once_do_not_overwrite_each_other(
    module_group: Callable[..., Group], token: Token, admin_client: Client
) -> None:
    group = module_group(token)
    editing.set_policy(group, Policy.APPLY, seen=Policy.KEEP, actor=ALICE)
    url = reverse("hsm:group-policy", args=[group.pk])
    assert admin_client.post(url, {"choice": Policy.APPLY, "seen": Policy.KEEP}).status_code == 409
    seen = editing.version(group)
    editing.edit(group, "Renamed", "", HsmType.LUNA, seen=seen, actor=ALICE)
    form = {"title": "Mine", "description": "", "hsm_type": HsmType.LUNA, "seen": seen}
    assert admin_client.post(reverse("hsm:group-edit", args=[group.pk]), form).status_code == 409
    assert Group.objects.get().title == "Renamed"
    assert Entry.objects.filter(outcome=Outcome.REFUSED).count() == 2


def test_an_edit_keeps_what_it_says(software_group: Group, admin_client: Client) -> None:
    url = reverse("hsm:group-edit", args=[software_group.pk])
    dialog = admin_client.get(url, headers=FRAGMENT)
    assert dialog.content.lstrip().startswith(b"<dialog")
    form = {"title": "Wages", "description": "", "seen": editing.version(software_group)}
    assert admin_client.post(url, form, headers=FRAGMENT).headers["HX-Redirect"]
    assert Group.objects.get().title == "Wages"
    creation.create("Payroll", "", actor=ALICE)
    response = admin_client.post(
        url, {**form, "title": "Payroll", "seen": editing.version(Group.objects.get(title="Wages"))}
    )
    assert response.status_code == 422
    assert "already" in text(response)


def test_a_group_is_deleted_by_its_typed_title(
    linked: dict[str, str], admin_client: Client, run_jobs: Callable[..., list[Job]]
) -> None:
    admin_client.post(reverse(NEW), linked)
    group = Group.objects.get()
    url = reverse("hsm:group-delete", args=[group.pk])
    assert "The keys in the HSM stay" in text(admin_client.get(url))
    refused = admin_client.post(url, {"typed": "luna production"})
    assert refused.status_code == 422
    assert "The name does not match" in text(refused)
    assert admin_client.post(url, {"typed": "Luna production"}).status_code == 302
    run_jobs()
    group.refresh_from_db()
    assert group.deleted_at
    assert not Connection.objects.exists()
    assert admin_client.get(reverse("hsm:group", args=[group.pk])).status_code == 404
    assert admin_client.post(reverse(NEW), linked).status_code == 302  # the title is free again


def test_a_search_for_what_no_title_holds(software_group: Group, admin_client: Client) -> None:
    """PostgreSQL takes no NUL, not even in a question."""
    page = text(admin_client.get(reverse("hsm:groups"), {"q": "Pay\0roll"}))
    assert reverse("hsm:group", args=[software_group.pk]) not in page
