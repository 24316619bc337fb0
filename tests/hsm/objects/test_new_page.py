"""Add New Security Object, as it is used: generate and import, with JavaScript and without."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from console.jobs.models import Job
from hsm.models.groups import Group
from hsm.models.objects import KeyMaterial, ObjectState, SecurityObject
from hsm.objects.newform import TOO_LARGE
from tests.hsm.objects.conftest import RunJobs, Slot
from tests.hsm.objects.pages import AES, HTMX, NEW, page, text_of
from tests.hsm.objects.samples import AES_KEY, PASSPHRASE, ec_key, rsa_key, written

pytestmark = pytest.mark.django_db

EC_IMPORT = AES | {
    "name": "brought",
    "how": "import",
    "key_type": "ec",
    "shown_type": "ec",
    "spec": "ec-p256",
    "operations": ["sign", "verify"],
}


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
        ({"spec": "aes-512"}, "is not one of the choices"),
        ({"spec": "rsa-1024", "key_type": "rsa"}, "is not one of the choices"),
        ({"operations": ["derive"]}, "is not one of the choices"),
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
