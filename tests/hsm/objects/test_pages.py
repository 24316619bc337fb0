"""The pages of one security object, as they are used: forms, tabs, dialogs, rights; with JavaScript and without."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib.capability import Capability
from console.servers.models import Server
from hsm.device.base import KeySpec
from hsm.models.groups import Connection, ConnectionState, Group, GroupMember, GroupRole
from hsm.models.objects import KeyMaterial, ObjectState, ObjectTag, SecurityObject
from hsm.objects import rotation
from hsm.objects.newform import TOO_LARGE
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import MakeKey, RunJobs, Slot, apply_changes
from tests.hsm.objects.samples import AES_KEY, PASSPHRASE, ec_key, rsa_key, written

pytestmark = pytest.mark.django_db

NEW = "/hsm/objects/new/"
HTMX = {"HX-Request": "true"}
AES: dict[str, Any] = {
    "name": "cipher",
    "how": "generate",
    "key_type": "aes",
    "shown_type": "aes",
    "spec": "aes-256",
    "operations": ["encrypt", "decrypt"],
}
EC_IMPORT = AES | {
    "name": "brought",
    "how": "import",
    "key_type": "ec",
    "shown_type": "ec",
    "spec": "ec-p256",
    "operations": ["sign", "verify"],
}


def page(name: str, key: SecurityObject) -> str:
    return reverse(f"hsm:{name}", args=[key.pk])


def text_of(response: Any) -> str:
    return str(response.content.decode())


def groups_in(shown: str) -> list[str]:
    options = re.search(r'<select name="group".*?</select>', shown, re.DOTALL)
    assert options
    return re.findall(r'<option value="[0-9a-f-]{36}"[^>]*>(.*?)</option>', options[0])


@pytest.fixture
def add(admin_client: Client) -> Callable[..., HttpResponse]:
    """Return a function that sends the form."""

    def send(home: Group, values: dict[str, Any], **more: Any) -> Any:
        marked = {"is_hsm": "on"} if home.is_hsm else {}
        return admin_client.post(NEW, {**values, **marked, "group": str(home.pk), **more})

    return send


# Add New Security Object


def test_title_and_lists(admin_client: Client, software_group: Group, hsm_group: Group) -> None:
    """SOB-13, SOB-14: unchecked the list has ordinary groups, checked the HSM groups only."""
    shown = text_of(admin_client.get(NEW))
    assert re.search(r"<h1>Add New Security Object</h1>", shown)
    assert "This is an HSM/external KMS object" in shown
    for words in ("Assign to a group", "GENERATE", "IMPORT", "Key type", "Key size", "Key operations permitted"):
        assert words in shown  # SOB-10, SOB-16
    assert groups_in(shown) == ["Payroll"]
    refreshed = text_of(admin_client.post(NEW, {**AES, "is_hsm": "on", "refresh": "1"}))
    assert groups_in(refreshed) == ["Luna production"]
    assert 'value="cipher"' in refreshed, "what was entered stays"
    opened_from_the_group = text_of(admin_client.get(f"{NEW}?group={hsm_group.pk}"))
    assert re.search(rf'<option value="{hsm_group.pk}" selected', opened_from_the_group)


@pytest.mark.parametrize(
    ("kind", "sizes", "operations"),
    [
        ("aes", ["aes-128", "aes-192", "aes-256"], ["encrypt", "decrypt", "sign", "verify", "wrap", "unwrap"]),
        ("rsa", ["rsa-2048", "rsa-3072", "rsa-4096"], ["encrypt", "decrypt", "sign", "verify", "wrap", "unwrap"]),
        ("ec", ["ec-p256", "ec-p384", "ec-p521"], ["sign", "verify", "derive"]),
    ],
)
@pytest.mark.parametrize("script", [True, False])
def test_choices_depend_on_the_type(
    kind: str, sizes: list[str], operations: list[str], script: bool, admin_client: Client, software_group: Group
) -> None:
    """SOB-16: with the script a fragment, without it the page, by the same request."""
    sent = {**AES, "key_type": kind, "refresh": "1"}
    shown = text_of(admin_client.post(NEW, sent, headers=HTMX if script else None))
    assert ("<h1>" in shown) is not script
    for size in sizes:
        assert f'value="{size}"' in shown
    assert re.findall(r'name="operations" value="(\w+)"', shown) == operations
    assert 'name="value"' not in shown
    assert "err" not in re.findall(r'class="(\w+)"', shown), "nothing is checked yet"


def test_import_opens_its_part(admin_client: Client, software_group: Group) -> None:
    """SOB-18, SOB-19."""
    for kind, field in (("aes", "spelling"), ("ec", "passphrase")):
        sent = {**AES, "how": "import", "key_type": kind, "refresh": "1", "value": "TOP SECRET", "passphrase": "HIDDEN"}
        shown = text_of(admin_client.post(NEW, sent))
        assert "Place value here or import from file" in shown
        assert 'name="value_file"' in shown
        assert f'name="{field}"' in shown
        assert "TOP SECRET" not in shown
        assert "HIDDEN" not in shown


def test_generate(
    add: Callable[..., HttpResponse], hsm_group: Group, slot: Slot, run_jobs: RunJobs, admin_client: Client
) -> None:
    """SOB-15, SOB-17: the page of the new key shows the job, survives a reload, and the key is in the table."""
    answer = add(hsm_group, AES)
    assert answer.status_code == HTTPStatus.FOUND
    where = answer.headers["Location"]
    for _ in range(2):
        shown = text_of(admin_client.get(where))
        assert "Generate key" in shown
        assert "Requested" in shown
    run_jobs()
    key = SecurityObject.objects.get()
    assert slot.objects("secrkey")[key.key_id].label == "cipher"
    assert "cipher" in text_of(admin_client.get(reverse("hsm:objects")))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required"),
        ({"spec": "aes-512"}, "Select a valid choice"),
        ({"spec": "rsa-1024", "key_type": "rsa"}, "Select a valid choice"),
        ({"operations": ["derive"]}, "Select a valid choice"),
        ({"operations": []}, "Choose at least one operation"),
        ({"group": ""}, "This field is required"),
    ],
)
def test_what_is_refused_at_its_field(
    wrong: dict[str, Any], said: str, add: Callable[..., HttpResponse], software_group: Group
) -> None:
    """SOB-13, SOB-15, SOB-16."""
    answer = add(software_group, AES, **wrong)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert said in text_of(answer)
    assert 'aria-invalid="true"' in text_of(answer)
    assert not SecurityObject.objects.exists()
    assert not Job.objects.filter(kind_name="hsm.generate").exists()


@pytest.mark.parametrize("way", ["pasted", "uploaded"])
def test_import_both_ways(
    way: str, add: Callable[..., HttpResponse], hsm_group: Group, slot: Slot, run_jobs: RunJobs, admin_client: Client
) -> None:
    """SOB-18, SOB-19, SOB-20."""
    sealed = written(ec_key(), passphrase=PASSPHRASE)
    given: dict[str, Any] = (
        {"value": sealed.decode()} if way == "pasted" else {"value_file": SimpleUploadedFile("key.pem", sealed)}
    )
    answer = add(hsm_group, EC_IMPORT, passphrase=PASSPHRASE.decode(), **given)
    assert answer.status_code == HTTPStatus.FOUND, text_of(answer)
    where = answer.headers["Location"]
    assert "Import key" in text_of(admin_client.get(where))
    run_jobs()
    done = admin_client.get(where)
    assert done.headers["Location"] == page("object", SecurityObject.objects.get())
    assert admin_client.get(where, headers=HTMX).headers["HX-Redirect"] == done.headers["Location"]
    assert len(slot.objects("privkey")) == 1


def test_a_fault_comes_back_to_its_field(
    add: Callable[..., HttpResponse], software_group: Group, run_jobs: RunJobs, admin_client: Client
) -> None:
    """Everything is kept but the secret; the corrected form goes on from there."""
    sealed = written(ec_key(), passphrase=PASSPHRASE).decode()
    where = add(software_group, EC_IMPORT, value=sealed, passphrase="not it").headers["Location"]
    run_jobs()
    shown = text_of(admin_client.get(where))
    assert re.search(r'id="id_passphrase_error">.*?does not open the private key', shown, re.DOTALL)
    assert 'value="brought"' in shown
    assert re.search(r'value="ec-p256" selected', shown)
    assert re.search(rf'value="{software_group.pk}" selected', shown)
    assert re.findall(r'value="(\w+)"[^>]* checked', shown).count("sign") == 1
    assert "not it" not in shown
    assert "BEGIN" not in shown
    assert "Correct and import again" in text_of(admin_client.get(where.removesuffix("import/")))
    sent = {**EC_IMPORT, "group": str(software_group.pk), "value": sealed, "passphrase": PASSPHRASE.decode()}
    assert admin_client.post(where, sent).status_code == HTTPStatus.FOUND
    run_jobs()
    key = SecurityObject.objects.get()
    assert (key.state, key.name) == (ObjectState.ACTIVE, "brought")


def test_a_weak_key_comes_back(
    add: Callable[..., HttpResponse], software_group: Group, run_jobs: RunJobs, admin_client: Client
) -> None:
    rsa = EC_IMPORT | {"key_type": "rsa", "shown_type": "rsa", "spec": "rsa-2048"}
    where = add(software_group, rsa, value=written(rsa_key(1024)).decode()).headers["Location"]
    run_jobs()
    assert re.search(r'id="id_value_error">.*?An RSA key of 1024 bits', text_of(admin_client.get(where)), re.DOTALL)


def test_a_file_of_50_megabytes(add: Callable[..., HttpResponse], software_group: Group) -> None:
    """Refused with the reason; the upload handler lets it pass by and keeps none of it."""
    huge = SimpleUploadedFile("huge.pem", b"x" * 50 * 1024 * 1024)
    answer = add(software_group, EC_IMPORT, value_file=huge)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert TOO_LARGE in text_of(answer)
    assert not KeyMaterial.objects.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Paste the key, or choose its file"),
        ({"value": "x", "value_file": SimpleUploadedFile("k", b"y")}, "not both"),
        ({"value": "x" * 70_000}, "at most 65536 characters"),
        ({"value_file": SimpleUploadedFile("k", b"")}, "The submitted file is empty"),
    ],
)
def test_what_is_no_material(
    given: dict[str, Any], said: str, add: Callable[..., HttpResponse], software_group: Group
) -> None:
    answer = add(software_group, EC_IMPORT, **given)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert said in text_of(answer)
    assert not SecurityObject.objects.exists()


def test_raw_bytes_come_as_a_file(add: Callable[..., HttpResponse], software_group: Group, run_jobs: RunJobs) -> None:
    secret = AES | {"how": "import", "spelling": "raw"}
    assert "Raw bytes cannot be pasted" in text_of(add(software_group, secret, value="0" * 32))
    add(software_group, secret, value_file=SimpleUploadedFile("key.bin", AES_KEY))
    run_jobs()
    assert SecurityObject.objects.get().state == ObjectState.ACTIVE


# The page of one key


def test_tabs_and_facts_of_a_virtual_key(hsm_group: Group, make: MakeKey, admin_client: Client) -> None:
    """SOB-04, SOB-05, SOB-06, GRP-43."""
    key = make(hsm_group)
    shown = text_of(admin_client.get(page("object", key)))
    tabs = re.search(r'<nav class="tabs".*?</nav>', shown, re.DOTALL)
    assert tabs
    assert re.findall(r">([^<>]+)</a>", tabs[0]) == ["INFO", "ATTRIBUTES/TAGS"]
    group = re.search(r"<dt>Group</dt><dd>(.*?)</dd>", shown, re.DOTALL)
    assert group
    assert "HSM group" in group[1], "the icon has a label"
    created = re.search(r"<dt>Created by</dt><dd>(.*?)</dd>", shown, re.DOTALL)
    assert created
    assert hsm_group.title in created[1]
    assert "Connected" in created[1]
    Connection.objects.update(state=ConnectionState.NOT_CONNECTED)
    assert re.search(r"<dt>Created by</dt>.*?Not Connected", text_of(admin_client.get(page("object", key))), re.DOTALL)
    assert "In the HSM only" in shown
    assert "Fingerprint of payments" in shown
    assert "Use key" in shown
    assert "HSM now" in shown


def test_facts_of_an_ordinary_key(software_group: Group, make: MakeKey, admin_client: Client) -> None:
    """SOB-05, SOB-06: no icon, and the user."""
    shown = text_of(admin_client.get(page("object", make(software_group))))
    group = re.search(r"<dt>Group</dt><dd>(.*?)</dd>", shown, re.DOTALL)
    assert group
    assert "icon" not in group[1]
    assert re.search(r"<dt>Created by</dt><dd>alice</dd>", shown)
    assert "HSM now" not in shown


def test_three_kinds_of_attributes(hsm_group: Group, make: MakeKey, admin_client: Client) -> None:
    """SOB-07."""
    key = make(hsm_group)
    shown = text_of(admin_client.get(page("object-attributes", key)))
    for part in ("PKCS#11 attributes", "CNG attributes", "Custom attributes"):
        assert part in shown
    for name, value in (
        ("CKA_ID", key.key_id),
        ("CKA_LABEL", "payments"),
        ("CKA_SIGN", "CK_TRUE"),
        ("CKA_DERIVE", "CK_FALSE"),
        ("CKA_EXTRACTABLE", "CK_FALSE"),
        ("CKA_EC_PARAMS", "secp256r1"),
        ("NCRYPT_ALGORITHM_PROPERTY", "ECDSA_P256"),
        ("NCRYPT_ALGORITHM_GROUP_PROPERTY", "ECDSA"),
        ("NCRYPT_LENGTH_PROPERTY", "256"),
        ("NCRYPT_EXPORT_POLICY_PROPERTY", "0x0"),
        ("NCRYPT_KEY_USAGE_PROPERTY", "0x2"),
    ):
        assert re.search(rf">{name}</th><td[^>]*><span[^>]*>{re.escape(value)}<", shown), name


def test_custom_attributes(software_group: Group, make: MakeKey, admin_client: Client) -> None:
    """SOB-07: added, shown, removed, written down."""
    key = make(software_group)
    address = page("object-tags", key)
    assert admin_client.post(address, {"name": "owner", "value": "<b>team</b>"}).status_code == HTTPStatus.FOUND
    shown = text_of(admin_client.get(page("object-attributes", key)))
    assert "&lt;b&gt;team&lt;/b&gt;" in shown
    assert admin_client.post(address, {"name": " "}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    admin_client.post(address, {"remove": str(ObjectTag.objects.get().pk)})
    assert not ObjectTag.objects.exists()
    assert admin_client.post(address, {"remove": "7"}).status_code == HTTPStatus.CONFLICT
    actions = Entry.objects.filter(subject_id=str(key.pk)).values_list("action", flat=True)
    assert {"hsm.object.tagged", "hsm.object.untagged"} <= set(actions)


def test_acts_say_what_they_do_now(hsm_group: Group, make: MakeKey, admin_client: Client) -> None:
    key = make(hsm_group)
    shown = text_of(admin_client.get(page("object", key)))
    for label in ("DEACTIVATE", "ROTATE KEY", "REMOVE PRIVATE KEY", "DELETE SECURITY OBJECT"):
        assert label in shown
    assert "only the virtual key is deleted" in shown
    apply_changes(hsm_group)
    assert "the key in the HSM is destroyed for good" in text_of(admin_client.get(page("object", key)))
    for name in ("object-delete", "object-remove-private"):
        dialog = text_of(admin_client.get(page(name, key), headers=HTMX))
        assert dialog.lstrip().startswith("<dialog")
        assert "destroyed" in dialog


@pytest.mark.parametrize("script", [True, False])
def test_delete_asks_for_the_name(
    script: bool, hsm_group: Group, make: MakeKey, admin_client: Client, run_jobs: RunJobs, slot: Slot
) -> None:
    apply_changes(hsm_group)
    key = make(hsm_group)
    headers = HTMX if script else None
    answer = admin_client.post(page("object-delete", key), {"typed": "Payments"}, headers=headers)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "does not match" in text_of(answer)
    answer = admin_client.post(page("object-delete", key), {"typed": "payments"}, headers=headers)
    assert answer.headers["HX-Redirect" if script else "Location"] == page("object", key)
    assert "Being deleted" in text_of(admin_client.get(page("object", key)))
    run_jobs()
    gone = admin_client.get(page("object", key), headers=headers)
    assert gone.headers["HX-Redirect" if script else "Location"] == reverse("hsm:objects")
    assert slot.objects("privkey") == {}


def test_what_was_read_is_what_is_done(
    hsm_group: Group, make: MakeKey, admin_client: Client, run_jobs: RunJobs, slot: Slot
) -> None:
    """The policy is switched while the dialog is open: the key is not destroyed on the word of another sentence."""
    key = make(hsm_group)
    dialog = text_of(admin_client.get(page("object-delete", key)))
    seen = re.search(r'name="seen" value="(\w+)"', dialog)
    assert seen
    apply_changes(hsm_group)
    sent = {"typed": key.name, "seen": seen[1]}
    answer = admin_client.post(page("object-delete", key), sent)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "was changed meanwhile" in text_of(answer)
    assert "destroyed for good" in text_of(answer)
    assert run_jobs() == []
    assert slot.halves(key)[0]


def test_a_virtual_key_is_deleted_at_once(hsm_group: Group, make: MakeKey, admin_client: Client) -> None:
    key = make(hsm_group)
    answer = admin_client.post(page("object-delete", key), {"typed": "payments"}, follow=True)
    assert "The security object payments is deleted." in text_of(answer)
    assert admin_client.get(page("object", key)).status_code == HTTPStatus.NOT_FOUND


def test_deactivate_rotate_permit(hsm_group: Group, make: MakeKey, admin_client: Client, run_jobs: RunJobs) -> None:
    key = make(hsm_group)
    admin_client.post(page("object-deactivate", key))
    shown = text_of(admin_client.get(page("object", key)))
    assert "Deactivated" in shown
    assert "ACTIVATE" in shown
    assert "activate it first" in shown, "what cannot be done now stays visible, with its reason"
    admin_client.post(page("object-activate", key))
    answer = admin_client.post(page("object-permissions", key), {"operations": ["verify"]}, follow=True)
    assert "The permissions of the virtual key are changed." in text_of(answer)
    answer = admin_client.post(page("object-permissions", key), {"operations": ["verify"]})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    admin_client.post(page("object-rotate", key))
    assert "Rotate key" in text_of(admin_client.get(page("object", key)))
    run_jobs()
    key.refresh_from_db()
    shown = text_of(admin_client.get(page("object", key)))
    assert page("object", key.successor) in shown  # type: ignore[arg-type]  # linked both ways
    assert page("object", key) in text_of(admin_client.get(page("object", key.successor)))  # type: ignore[arg-type]


def test_public_half_is_given_and_nothing_else(software_group: Group, make: MakeKey, admin_client: Client) -> None:
    """GRP-42: no address gives material."""
    pair, secret = make(software_group), make(software_group, KeySpec.AES_128, "secret")
    assert admin_client.get(page("object-public-key", pair)).content == bytes(pair.spki_der or b"")
    assert admin_client.get(page("object-public-key", secret)).status_code == HTTPStatus.NOT_FOUND
    shown = text_of(admin_client.get(page("object", secret)))
    assert "It cannot be exported." in shown


# Who may

CHANGES = ["permissions", "deactivate", "activate", "rotate", "remove-private", "delete", "tags"]


@pytest.mark.parametrize("role", [None, GroupRole.MEMBER, GroupRole.AUDITOR, GroupRole.ADMINISTRATOR])
def test_roles_in_the_group(
    role: GroupRole | None, software_group: Group, make: MakeKey, plain_user: User, user_client: Client, server: Server
) -> None:
    key = make(software_group)
    if role:
        GroupMember.objects.create(
            group=software_group, user=plain_user, role=role, added_at=key.created_at, added_by="alice"
        )
    assert not plain_user.may(Capability.READ)
    manages = role == GroupRole.ADMINISTRATOR
    seen = user_client.get(page("object", key))
    assert seen.status_code == (HTTPStatus.OK if role else HTTPStatus.NOT_FOUND)
    if role:
        assert ("DELETE SECURITY OBJECT" in text_of(seen)) is manages
    refused = HTTPStatus.FORBIDDEN if role else HTTPStatus.NOT_FOUND
    sent = {**AES, "group": str(software_group.pk)}
    if manages:
        assert user_client.get(page("object-delete", key)).status_code == HTTPStatus.OK
        assert user_client.post(NEW, sent).status_code == HTTPStatus.FOUND
        return
    for name in CHANGES:
        assert user_client.post(page(f"object-{name}", key), {"typed": key.name}).status_code == refused
    assert user_client.post(NEW, sent).status_code == HTTPStatus.FORBIDDEN
    if role:
        logged = Entry.objects.filter(action="access.refused", outcome="refused", actor=plain_user.username)
        assert logged.count() == len(CHANGES) + 1
    assert SecurityObject.objects.count() == 1


def test_an_auditor_looks(software_group: Group, make: MakeKey, auditor_client: Client) -> None:
    key = make(software_group)
    assert "DELETE SECURITY OBJECT" not in text_of(auditor_client.get(page("object", key)))
    assert auditor_client.post(page("object-rotate", key)).status_code == HTTPStatus.FORBIDDEN


def test_destroying_needs_a_recent_sign_in(
    software_group: Group, make: MakeKey, admin: User, as_user: Callable[..., Client]
) -> None:
    key, client = make(software_group), as_user(admin, recent=False)
    for name in ("object-delete", "object-remove-private"):
        answer = client.post(page(name, key), {"typed": key.name})
        assert answer.headers["Location"].startswith("/account/confirm/")
    assert SecurityObject.objects.filter(state=ObjectState.ACTIVE).exists()


def test_a_failed_key_says_why(software_group: Group, make: MakeKey, admin_client: Client) -> None:
    key = make(software_group)
    new, _ = rotation.request(key, actor=ALICE)
    SecurityObject.objects.filter(pk=new.pk).update(state=ObjectState.FAILED, problem="The HSM is full.")
    Job.objects.all().delete()
    shown = text_of(admin_client.get(page("object", new)))
    assert "The HSM is full." in shown
    assert "Only the record of the key is deleted" in shown
    assert "ROTATE KEY" not in shown
