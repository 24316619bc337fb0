"""The key pages, as an administrator and an auditor see them."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock, digest
from console.lib.digest import spki_fingerprint
from console.servers.models import Server
from keys.jobs import CREATE_ROOT, REVOKE_ROOT
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]
HTMX = {"HX-Request": "true"}


def text(response: Any) -> str:
    return response.content.decode()  # type: ignore[no-any-return]


def pages(root: Root) -> list[str]:
    key = Subordinate.objects.filter(root=root).first()
    return [
        *(reverse(f"keys:{name}") for name in ("current-server", "activity", "workflow", "propagation")),
        reverse("keys:troubleshooting"),
        f"{reverse('keys:current-server')}?hierarchy=list",
        reverse("keys:root", args=[root.pk]),
        *([reverse("keys:subordinate", args=[key.pk])] if key else []),
    ]


def test_every_page_opens_for_reader_and_administrator(
    make_root: MakeRoot, admin_client: Client, auditor_client: Client
) -> None:
    make_root()
    root = make_root()
    for url in pages(root):
        for client in (admin_client, auditor_client):
            response = client.get(url)
            assert response.status_code == 200, url
            assert text(response).count("<h1") == 1
            assert "PRIVATE KEY" not in text(response)  # KEY-17


def test_pages_without_any_key_say_what_happens_next(server: Server, admin_client: Client) -> None:
    for name in ("current-server", "activity", "workflow", "propagation"):
        assert admin_client.get(reverse(f"keys:{name}")).status_code == 200
    assert "No root key yet" in text(admin_client.get(reverse("keys:current-server")))


def test_one_tile_for_each_active_root(
    make_root: MakeRoot, run_jobs: RunJobs, admin_client: Client
) -> None:  # KEY-12, KEY-15, KEY-16, LOG-02, LOG-03
    old, new = make_root(), make_root()
    page = text(admin_client.get(reverse("keys:current-server")))
    assert page.count('class="card tile') == 2
    assert "Platform servers and Client 7.4 or later" in page
    assert "Rotation in progress" in page
    old.refresh_from_db()
    Root.objects.filter(pk=old.pk).update(state=RootState.REVOKED, revoked_at=clock.now(), revocation_reason="policy")
    page = text(admin_client.get(reverse("keys:current-server")))
    assert page.count('class="card tile') == 1
    assert new.name in page
    grid = text(admin_client.get(reverse("keys:activity")))
    assert "All Root Keys" in grid
    assert old.name in grid
    assert "Revoked" in grid


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f-]{36})"', page)
    assert found, page
    return found[1]


def test_create_new_key_without_javascript(admin_client: Client, server: Server, run_jobs: RunJobs) -> None:
    # KEY-19, ROL-02
    page = text(admin_client.get(reverse("keys:create")))
    answer = admin_client.post(reverse("keys:create"), {"token": token_of(page)})
    assert answer.status_code == 302
    assert "Create root key" in text(admin_client.get(reverse("keys:current-server")))
    run_jobs()
    assert Root.objects.get().state == RootState.ACTIVE


def test_create_new_key_in_a_dialog_answers_without_a_reload(admin_client: Client, server: Server) -> None:
    dialog = text(admin_client.get(reverse("keys:create"), headers=HTMX))
    assert dialog.strip().startswith("<dialog")
    answer = admin_client.post(reverse("keys:create"), {"token": token_of(dialog)}, headers=HTMX)
    assert "keys-changed" in answer.headers["HX-Trigger"]
    assert answer.headers["HX-Retarget"] == "#modal"
    fragment = text(admin_client.get(reverse("keys:current-server"), headers=HTMX))
    assert "<html" not in fragment
    assert "Create root key" in fragment


def test_back_and_resubmit_makes_no_second_key(admin_client: Client, server: Server, run_jobs: RunJobs) -> None:
    token = token_of(text(admin_client.get(reverse("keys:create"))))
    admin_client.post(reverse("keys:create"), {"token": token})
    run_jobs()
    again = admin_client.post(reverse("keys:create"), {"token": token})
    assert again.status_code == 409
    assert "No second key was requested" in text(again)
    assert Root.objects.count() == 1


def test_a_form_without_its_token_requests_nothing(admin_client: Client, server: Server) -> None:
    assert admin_client.post(reverse("keys:create"), {}).status_code == 422
    assert not Job.objects.filter(kind_name=CREATE_ROOT.name).exists()


def test_an_auditor_changes_nothing(make_root: MakeRoot, auditor_client: Client) -> None:  # ROL-02
    old, _new = make_root(), make_root()
    key = Subordinate.objects.get(state="active", purpose="client-tls-ca")
    page = text(auditor_client.get(reverse("keys:current-server")))
    assert "Create New Key</a>" not in page
    for url in (
        reverse("keys:create"),
        reverse("keys:revoke", args=[old.pk]),
        reverse("keys:schedule", args=[old.pk]),
        reverse("keys:cancel-revocation", args=[old.pk]),
        reverse("keys:rotate", args=[key.pk]),
    ):
        assert auditor_client.post(url, {"token": uuid.uuid4()}).status_code == 403, url
    assert Root.objects.count() == 2
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


def sent(page: str, root: Root, **changes: str) -> dict[str, str]:
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert seen, page
    form = {"seen": seen[1], "when": "now", "reason": "policy", "note": "", "backup": "on", "typed": root.name}
    return form | changes


def test_the_revoke_page_names_every_consequence(make_root: MakeRoot, admin_client: Client) -> None:
    # KEY-28, KEY-59, HSI-25
    old, new = make_root(), make_root()
    page = strip_tags(text(admin_client.get(reverse("keys:revoke", args=[old.pk]))))
    digits = " ".join(digest.groups(str(new.fingerprint)[:32]))
    for words in (new.name, digits, "3 keys become invalid", "is destroyed in pki.db", "Last backup",
                  "rotation workflow", "more processing and network traffic",
                  "There is none yet", old.server.fqdn):  # fmt: skip
        assert words in page, words


def test_revoke_now_and_later(make_root: MakeRoot, admin_client: Client, run_jobs: RunJobs) -> None:  # KEY-23
    old, _new = make_root(), make_root()
    url = reverse("keys:revoke", args=[old.pk])
    page = text(admin_client.get(url))
    due = (clock.now() + timedelta(days=8)).strftime("%Y-%m-%dT%H:%M")
    assert admin_client.post(url, sent(page, old, when="later", due_at=due)).status_code == 302
    tile = text(admin_client.get(reverse("keys:current-server")))
    assert "Revocation planned" in tile
    assert "Cancel revocation" in tile
    page = text(admin_client.get(url))
    assert "replaces that plan" in page
    assert admin_client.post(url, sent(page, old)).status_code == 302
    run_jobs()
    old.refresh_from_db()
    assert old.state == RootState.REVOKED
    detail = text(admin_client.get(reverse("keys:root", args=[old.pk])))
    assert "Last CRL" in detail
    assert "Revocation directive" in detail
    assert "need a new init file" not in detail
    Root.objects.filter(pk=old.pk).update(revocation_reason="compromised")
    detail = text(admin_client.get(reverse("keys:root", args=[old.pk])))
    assert f'{reverse("trust:dependants", args=[old.pk])}?fate=lost">Clients that need a new init file' in detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"typed": "ts1.example.com root 0"}, "The name does not match"),
        ({"typed": " ts1.example.com Root 0"}, "The name does not match"),
        ({"reason": ""}, "required"),
        ({"reason": "nonsense"}, "is not one of the choices"),
        ({"when": "later", "due_at": ""}, "Choose the date"),
        ({"when": "later", "due_at": "yesterday"}, "YYYY-MM-DD hh:mm"),
        ({"when": "later", "due_at": "2020-01-01T00:00"}, "has passed"),
        ({"backup": ""}, "Back up immediately"),
    ],
)
def test_a_wrong_confirmation_revokes_nothing(
    make_root: MakeRoot, admin_client: Client, changes: dict[str, str], words: str
) -> None:
    old, _new = make_root(), make_root()
    url = reverse("keys:revoke", args=[old.pk])
    answer = admin_client.post(url, sent(text(admin_client.get(url)), old, **changes))
    assert answer.status_code == 422
    assert words in text(answer)
    assert "Error:" in text(answer)
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


def test_changed_consequences_come_back_with_409(make_root: MakeRoot, admin_client: Client) -> None:
    old, _new = make_root(), make_root()
    url = reverse("keys:revoke", args=[old.pk])
    form = sent(text(admin_client.get(url)), old)
    make_root()
    answer = admin_client.post(url, form)
    assert answer.status_code == 409
    assert "has changed since" in text(answer)
    assert admin_client.post(url, form, headers=HTMX).status_code == 422
    assert admin_client.post(url, sent(text(answer), old)).status_code == 302


def test_an_old_sign_in_is_asked_for_again(make_root: MakeRoot, admin: Any, as_user: Callable[..., Client]) -> None:
    old, _new = make_root(), make_root()
    stale = as_user(admin, recent=False)
    for url in (reverse("keys:revoke", args=[old.pk]), reverse("keys:schedule", args=[old.pk])):
        answer = stale.post(url, {})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("account_reauthenticate"))
    assert not Job.objects.filter(kind_name=REVOKE_ROOT.name).exists()


def test_one_click_schedules_and_cancel_takes_it_back(make_root: MakeRoot, admin_client: Client) -> None:  # MIS-10
    old, _new = make_root(), make_root()
    page = text(admin_client.get(reverse("keys:current-server")))
    assert "Schedule revocation of Root 0 for" in page
    admin_client.post(reverse("keys:schedule", args=[old.pk]))
    assert Job.objects.get(kind_name=REVOKE_ROOT.name).state == "scheduled"
    admin_client.post(reverse("keys:cancel-revocation", args=[old.pk]))
    assert Job.objects.get(kind_name=REVOKE_ROOT.name).state == "cancelled"
    assert admin_client.post(reverse("keys:cancel-revocation", args=[old.pk])).status_code == 409


def test_the_newest_key_shows_why_it_stays(make_root: MakeRoot, admin_client: Client) -> None:  # KEY-24
    root = make_root()
    page = text(admin_client.get(reverse("keys:current-server")))
    assert "The only root key of this server" in page
    assert 'aria-disabled="true"' in page
    url = reverse("keys:revoke", args=[root.pk])
    assert "cannot be revoked" in text(admin_client.get(url))
    form = {"seen": "0" * 64, "when": "now", "reason": "policy", "backup": "on", "typed": root.name}
    assert admin_client.post(url, form).status_code == 403
    assert Entry.objects.filter(outcome="refused", actor="alice").exists()


def test_downloads_hold_public_halves_only(
    make_root: MakeRoot, run_jobs: RunJobs, auditor_client: Client
) -> None:  # KEY-14, KEY-17
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    old, new = make_root(), make_root()
    answer = auditor_client.get(reverse("keys:public-key", args=[new.pk]))
    public = load_pem_public_key(answer.content)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki_fingerprint(der) == new.fingerprint
    assert "attachment" in answer.headers["Content-Disposition"]
    for url in (
        reverse("keys:certificate", args=[new.pk]),
        reverse("keys:cross-certificate", args=[new.cross_issued.get().pk]),
    ):
        answer = auditor_client.get(url)
        assert answer.content.startswith(b"-----BEGIN CERTIFICATE-----")
    assert auditor_client.get(reverse("keys:crl", args=[old.pk])).status_code == 404
    assert auditor_client.get(reverse("keys:directive", args=[old.pk])).status_code == 404
    assert auditor_client.get(reverse("keys:certificate", args=[uuid.uuid4()])).status_code == 404


def test_an_intermediate_is_rotated_by_itself(
    make_root: MakeRoot, run_jobs: RunJobs, admin_client: Client
) -> None:  # KEY-51
    root = make_root()
    key = Subordinate.objects.get(purpose="client-tls-ca")
    assert "Rotate now" in text(admin_client.get(reverse("keys:subordinate", args=[key.pk])))
    assert "pki.db of this server" in text(admin_client.get(reverse("keys:rotate", args=[key.pk])))
    assert admin_client.post(reverse("keys:rotate", args=[key.pk])).status_code == 302
    # One that failed before the page came stays on it until the next.
    Job.objects.filter(subject_id=str(key.pk)).update(state="failed", message="No token answered.")
    assert "No token answered." in text(admin_client.get(reverse("keys:subordinate", args=[key.pk])))
    assert admin_client.post(reverse("keys:rotate", args=[key.pk])).status_code == 302
    assert "No token answered." not in text(admin_client.get(reverse("keys:subordinate", args=[key.pk])))
    run_jobs()
    key.refresh_from_db()
    fresh = Subordinate.objects.get(purpose="client-tls-ca", state="active")
    assert (key.state, fresh.root_id) == ("retired", root.pk)
    assert Subordinate.objects.filter(state="active").count() == 3
    assert admin_client.post(reverse("keys:rotate", args=[key.pk])).status_code == 403


def test_the_workflow_has_its_steps_in_order(make_root: MakeRoot, admin_client: Client) -> None:  # KEY-32 to KEY-38
    make_root(), make_root()
    page = text(admin_client.get(reverse("keys:workflow")))
    steps = ["Encrypt pki.db", "Configure the rotation", "Generate the new root key", "Wait one week",
             "Revoke the old root key", "Back up immediately"]  # fmt: skip
    places = [page.index(step) for step in steps]
    assert places == sorted(places)


def test_reminders_on_how_often_to_rotate(make_root: MakeRoot, admin_client: Client) -> None:  # KEY-42
    make_root()
    root = make_root()
    assert "less than six months old" in text(admin_client.get(reverse("keys:create")))
    Root.objects.filter(pk=root.pk).update(activated_at=clock.now() - timedelta(days=370))
    assert "more than a year old" in text(admin_client.get(reverse("keys:current-server")))
    assert "less than six months old" not in text(admin_client.get(reverse("keys:create")))


def test_home_shows_the_keys_and_where_they_live(make_root: MakeRoot, admin_client: Client) -> None:  # walkthrough 2
    old, _new = make_root(), make_root()
    admin_client.post(reverse("keys:schedule", args=[old.pk]))
    page = text(admin_client.get("/"))
    for words in ("Root keys", "Root 1", "in pki.db, to be revoked in ", "There is no backup of this server yet"):
        assert words in page, words


def test_the_pki_log_has_a_line_for_each_operation(
    make_root: MakeRoot, run_jobs: RunJobs, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:  # LOG-05, AMB-04
    with django_capture_on_commit_callbacks(execute=True):
        root = make_root()
    lines = (settings.LOG_DIR / "pki.log").read_text()
    for event in ("root-created", "server-tls-created", "message-signing-created", "client-tls-ca-created"):
        assert event in lines
    assert str(root.fingerprint)[:16] in lines
