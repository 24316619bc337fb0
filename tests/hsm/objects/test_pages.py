"""The pages of one security object, as they are used: tabs, dialogs, rights; with JavaScript and without."""

import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job
from console.lib.capability import Capability
from console.servers.models import Server
from hsm.device.base import KeySpec
from hsm.models.groups import Connection, ConnectionState, Group, GroupMember, GroupRole
from hsm.models.objects import ObjectState, ObjectTag, SecurityObject
from hsm.objects import rotation
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import MakeKey, RunJobs, Slot, apply_changes
from tests.hsm.objects.pages import AES, HTMX, NEW, page, text_of

pytestmark = pytest.mark.django_db


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
