"""The page Backups and the dialog Back up now."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.jobs.models import Job, State
from console.links import link
from console.servers.models import Server
from keys.models.backup import Backup
from keys.models.root import Root
from tests.keys.backup.conftest import PASSPHRASE

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "keys:backups"
FORM = {"label": "pre-revocation", "typed": PASSPHRASE.reveal_text(), "again": PASSPHRASE.reveal_text()}


def text(response: Any) -> str:
    return str(response.content.decode())


def test_an_empty_list_says_what_to_do(server: Server, admin_client: Client, auditor_client: Client) -> None:
    assert "No backup yet" in text(admin_client.get(reverse(PAGE)))
    assert "Back up now" in text(admin_client.get(reverse(PAGE)))
    assert "Back up now" not in text(auditor_client.get(reverse(PAGE)))


def test_back_up_now(furnished: Root, admin_client: Client, run_jobs: Callable[..., list[Job]]) -> None:
    """AMB-22: label and passphrase typed twice; then the list shows it, and its page what it does not contain."""
    response = admin_client.post(reverse("keys:back-up"), FORM)
    assert (response.status_code, response["Location"]) == (302, reverse(PAGE))
    page = text(admin_client.get(reverse(PAGE)))
    assert "Being made" in page
    assert PASSPHRASE.reveal_text() not in page
    (job,) = run_jobs()
    assert (job.kind_name, job.state) == ("keys.back-up", State.SUCCEEDED)
    backup = Backup.objects.get()
    listed = text(admin_client.get(reverse(PAGE)))
    assert "Pre-revocation" in listed
    assert backup.sha256[:16] in listed
    shown = text(admin_client.get(reverse("keys:backup", args=[backup.pk])))
    assert re.sub(r"\s", "", backup.path) in re.sub(r"\s", "", shown)
    assert furnished.name in shown
    assert "For planning only" in shown
    assert link("backup", str(backup.pk)) == reverse("keys:backup", args=[backup.pk])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"again": "something else entirely"}, "The two differ"),
        ({"typed": "short", "again": "short"}, "at least 12 characters"),
        ({"label": "nonsense"}, "is not one of the choices"),
        ({"typed": ""}, "required"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked_for(
    server: Server, admin_client: Client, change: dict[str, str], said: str
) -> None:
    response = admin_client.post(reverse("keys:back-up"), FORM | change, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert said in text(response)
    assert PASSPHRASE.reveal_text() not in text(response)
    assert not Backup.objects.exists()


def test_the_dialog_proposes_a_label(server: Server, admin_client: Client) -> None:
    """KEY-28: the revoke dialog leads here with its label."""
    url = reverse("keys:back-up") + "?label=post-revocation"
    fragment = text(admin_client.get(url, headers={"HX-Request": "true"}))
    assert "<html" not in fragment
    assert re.search(r'value="post-revocation"[^>]*checked', fragment)


def test_only_with_a_recent_sign_in(
    server: Server, admin: User, as_user: Callable[..., Client], auditor_client: Client
) -> None:
    response = as_user(admin, recent=False).post(reverse("keys:back-up"), FORM)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert auditor_client.post(reverse("keys:back-up"), FORM).status_code == 403
    assert not Backup.objects.exists()


def test_another_servers_backup_is_not_there(server: Server, admin_client: Client) -> None:
    url = reverse("keys:backup", args=["00000000-0000-4000-8000-000000000000"])
    assert admin_client.get(url).status_code == 404


def test_a_backup_that_failed_says_why(furnished: Root, admin_client: Client, back_up: Callable[..., Backup]) -> None:
    from keys.keystore import open_local_store

    with open_local_store() as store:
        store.remove(furnished.cka_id)
    backup = back_up()
    assert "Not made" in text(admin_client.get(reverse(PAGE)))
    assert "was being destroyed" in text(admin_client.get(reverse("keys:backup", args=[backup.pk])))
