"""The pages of Use key: ask, see the result, reload; and who cannot."""

import base64
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib import clock
from hsm.device.base import KeySpec
from hsm.models.groups import Group, GroupMember, GroupRole
from hsm.models.objects import KeyUse, SecurityObject
from hsm.views.use import COOKIE
from tests.fixtures.searching import places_of
from tests.hsm.use.conftest import MakeKey

RunJobs = Callable[..., list[Job]]
DATA = "pay 1,000,000 to mallory"


def page_of(key: SecurityObject, operation: str = "") -> str:
    address = reverse("hsm:object-use", args=[key.pk])
    return f"{address}?operation={operation}" if operation else address


def ask(client: Client, key: SecurityObject, operation: str, **data: object) -> HttpResponse:
    return client.post(page_of(key, operation), {"content_written": "text", **data})  # type: ignore[return-value]


def encrypt(client: Client, key: SecurityObject, run_jobs: RunJobs) -> str:
    """Encrypt DATA; return the address of the result."""
    answer = ask(client, key, "encrypt", scheme="aes-gcm", content=DATA)
    assert answer.status_code == HTTPStatus.FOUND, answer.content.decode()
    run_jobs()
    return answer.headers["Location"]


def as_base64(page: str) -> str:
    """Return what stands under Base64."""
    return page.partition(">Base64</h3>")[2].partition("<pre")[2].partition(">")[2].partition("</pre>")[0]


def test_encrypt_and_decrypt_with_reload_between(
    make_real_key: MakeKey, admin_client: Client, run_jobs: RunJobs, var_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_real_key(KeySpec.AES_256)
    address = encrypt(admin_client, key, run_jobs)
    shown = admin_client.get(address)
    closed = as_base64(shown.content.decode())
    assert len(base64.b64decode(closed)) == len(DATA) + 28
    assert as_base64(admin_client.get(address).content.decode()) == closed
    back = ask(admin_client, key, "decrypt", scheme="aes-gcm", content=closed, content_written="base64")
    run_jobs()
    page = admin_client.get(back.headers["Location"]).content.decode()
    assert ">Text</h3>" in page
    assert DATA in page
    assert "pki.db" in page.partition("Served by")[2][:60]
    assert "<dd>AES-GCM</dd>" in page
    assert places_of(DATA, var_dir, text=caplog.text) == []


def test_sign_and_verify_with_a_file(make_real_key: MakeKey, admin_client: Client, run_jobs: RunJobs) -> None:
    key = make_real_key()
    scheme = "ecdsa-sha256"
    made = ask(admin_client, key, "sign", scheme=scheme, content_file=SimpleUploadedFile("order.txt", DATA.encode()))
    run_jobs()
    signature = as_base64(admin_client.get(made.headers["Location"]).content.decode())
    for content, said in ((DATA, "The signature is valid."), (DATA + "!", "The signature is not valid.")):
        checked = ask(
            admin_client,
            key,
            "verify",
            scheme=scheme,
            content=content,
            signature=signature,
            signature_written="base64",
        )
        run_jobs()
        assert said in admin_client.get(checked.headers["Location"]).content.decode()


def test_the_cookie_goes_to_the_page_of_the_result_only(
    make_real_key: MakeKey, admin_client: Client, run_jobs: RunJobs, settings: Settings
) -> None:
    key = make_real_key(KeySpec.AES_128)
    for https in (False, True):
        settings.HTTPS = https
        answer = ask(admin_client, key, "encrypt", scheme="aes-gcm", content=DATA)
        cookie = answer.cookies[COOKIE]
        assert cookie["path"] == answer.headers["Location"]
        assert (cookie["httponly"], cookie["samesite"], bool(cookie["secure"])) == (True, "Strict", https)
        assert int(cookie["max-age"]) == 600
        assert len(base64.urlsafe_b64decode(cookie.value)) == 32


def test_another_browser_of_the_same_user_cannot_read_it(
    make_real_key: MakeKey, admin: User, admin_client: Client, as_user: Callable[..., Client], run_jobs: RunJobs
) -> None:
    address = encrypt(admin_client, make_real_key(KeySpec.AES_256), run_jobs)
    other = as_user(admin)
    page = other.get(address).content.decode()
    assert "This browser cannot read the result." in page
    assert ">Base64</h3>" not in page
    for wrong in ("", "not base64!", "A" * 43 + "=", "AAAA"):
        other.cookies[COOKIE] = wrong
        assert "This browser cannot read the result." in other.get(address).content.decode()
    assert ">Base64</h3>" in admin_client.get(address).content.decode()


def test_another_user_with_the_cookie_cannot_read_it(
    make_real_key: MakeKey,
    admin_client: Client,
    make_user: Callable[..., User],
    as_user: Callable[..., Client],
    run_jobs: RunJobs,
) -> None:
    address = encrypt(admin_client, make_real_key(KeySpec.AES_256), run_jobs)
    mallory = as_user(make_user("mallory", RoleKey.ADMINISTRATOR))
    mallory.cookies[COOKIE] = admin_client.cookies[COOKIE].value
    answer = mallory.get(address)
    assert answer.status_code == HTTPStatus.GONE
    assert ">Base64</h3>" not in answer.content.decode()


def test_after_ten_minutes_the_page_offers_to_start_again(
    make_real_key: MakeKey, admin_client: Client, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_real_key(KeySpec.AES_256)
    address = encrypt(admin_client, key, run_jobs)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=10, seconds=1))
    answer = admin_client.get(address)
    assert answer.status_code == HTTPStatus.GONE
    assert "kept for ten minutes" in answer.content.decode()
    assert f'href="{page_of(key)}"' in answer.content.decode()


def test_while_the_job_waits_the_page_watches_it(
    make_real_key: MakeKey, admin_client: Client, run_jobs: RunJobs
) -> None:
    key = make_real_key()
    asked = ask(admin_client, key, "sign", scheme="ecdsa-sha256", content=DATA)
    address = asked.headers["Location"]
    job = Job.objects.latest("created_at")
    assert reverse("jobs:card", args=[job.pk]) in admin_client.get(address).content.decode()
    SecurityObject.objects.filter(pk=key.pk).update(deactivated_at=clock.now())
    run_jobs()
    fragment = admin_client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "is deactivated" in fragment
    assert "Start again" in fragment


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "Enter it, or choose a file."),
        ({"content": "x", "scheme": "none-such"}, "is not one of the choices"),
        ({"content": "x" * 4097}, "At most 4,096 bytes"),
        ({"content": "zz", "content_written": "hex"}, "This is no hex."),
        ({"content": "x", "content_file": SimpleUploadedFile("a", b"b")}, "There are both text and a file."),
        ({"content_file": SimpleUploadedFile("a", b"")}, "The submitted file is empty."),
        ({"content_file": SimpleUploadedFile("a", bytes(5000))}, "At most 4,096 bytes"),
        ({"content_file": SimpleUploadedFile("a", bytes(100_000))}, "The file is too large"),
    ],
)
def test_a_form_with_a_fault_says_it_and_asks_nothing(
    make_key: MakeKey, admin_client: Client, data: dict[str, object], said: str
) -> None:
    answer = ask(admin_client, make_key(), "sign", **({"scheme": "ecdsa-sha256"} | data))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert said in answer.content.decode()
    assert "<title>Error: " in answer.content.decode()
    assert not KeyUse.objects.exists()


def test_what_is_refused_is_said_before_and_refused_again(make_key: MakeKey, admin_client: Client) -> None:
    key = make_key(operations=["verify"])
    page = admin_client.get(page_of(key, "sign")).content.decode()
    assert "is not permitted to sign" in page
    assert "<textarea" not in page
    assert "<textarea" in admin_client.get(page_of(key)).content.decode()  # the first that may be done
    answer = ask(admin_client, key, "sign", scheme="ecdsa-sha256", content=DATA)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert Entry.objects.latest("seq").outcome == "refused"
    assert not Job.objects.filter(state=State.QUEUED).exists()


def test_a_kind_of_key_that_the_console_does_not_use(make_key: MakeKey, admin_client: Client) -> None:
    key = make_key()
    SecurityObject.objects.filter(pk=key.pk).update(spec="", key_type="DES3")
    answer = admin_client.get(page_of(key))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "DES3" in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (GroupRole.ADMINISTRATOR, HTTPStatus.FOUND),
        (GroupRole.MEMBER, HTTPStatus.FOUND),
        (GroupRole.AUDITOR, HTTPStatus.FORBIDDEN),
        (None, HTTPStatus.NOT_FOUND),
    ],
)
def test_who_may_use_a_key(
    make_key: MakeKey, group: Group, plain_user: User, user_client: Client, role: GroupRole | None, status: HTTPStatus
) -> None:
    if role:
        GroupMember.objects.create(group=group, user=plain_user, role=role, added_at=clock.now(), added_by="alice")
    answer = ask(user_client, make_key(), "sign", scheme="ecdsa-sha256", content=DATA)
    assert answer.status_code == status
    assert KeyUse.objects.exists() is (status == HTTPStatus.FOUND)


def test_who_leaves_the_group_loses_the_result(
    make_real_key: MakeKey, group: Group, plain_user: User, user_client: Client, run_jobs: RunJobs
) -> None:
    member = GroupMember.objects.create(
        group=group, user=plain_user, role=GroupRole.MEMBER, added_at=clock.now(), added_by="alice"
    )
    address = encrypt(user_client, make_real_key(KeySpec.AES_256), run_jobs)
    assert ">Base64</h3>" in user_client.get(address).content.decode()
    member.delete()
    assert user_client.get(address).status_code == HTTPStatus.NOT_FOUND


def test_the_page_of_a_key_offers_what_it_can_and_says_why_not(
    make_key: MakeKey, admin_client: Client, auditor_client: Client
) -> None:
    key = make_key(operations=["sign"])
    address = reverse("hsm:object", args=[key.pk])
    section = admin_client.get(address).content.decode().partition('id="use-h"')[2].partition("</section>")[0]
    assert f'href="{page_of(key, "sign")}"' in section
    assert f'href="{page_of(key, "verify")}"' not in section
    assert "is not permitted to verify" in section
    assert "Encrypt" not in section
    seen = auditor_client.get(address).content.decode().partition('id="use-h"')[2].partition("</section>")[0]
    assert page_of(key) not in seen
    assert "lets you look at its keys, not use them" in seen
