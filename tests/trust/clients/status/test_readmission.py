"""The decision about clients that a restore forgot: off, offered after a restore, typed, shown, ended."""

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils.html import strip_tags

from console.activity import log
from console.activity.models import Entry
from console.lib import clock, digest
from console.lib.actor import Actor
from console.servers.models import Server
from keys.actions import Action as KeyAction
from tests.trust import rows
from trust.actions import Action
from trust.clients import readmission

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_one_decision_for_all_clients(server: Server, admin_client: Browser, auditor_client: Browser) -> None:
    def shown(browser: Browser, name: str = "clients") -> str:
        response = browser.get(reverse(f"trust:{name}"))
        assert response.status_code == 200
        return response.content.decode()

    begin, withdraw = reverse("trust:readmission-begin"), reverse("trust:readmission-withdraw")
    assert "restore" not in shown(admin_client)
    for act in ("begin", "withdraw"):
        assert "There is nothing to decide." in shown(admin_client, f"readmission-{act}")
    assert admin_client.post(begin, {"typed": server.fqdn}).status_code == 409

    details = {
        "made": clock.now().isoformat(),
        "forgotten": ["Revoked after the backup, and valid again: pc7.example."],
    }
    with transaction.atomic():
        log.append(KeyAction.BACKUP_RESTORED, server.subject, actor=Actor.system("restore"), details=details)
    assert begin in shown(admin_client)
    assert "This server was restored." in shown(auditor_client)
    assert begin not in shown(auditor_client)
    root = rows.root(server, 7)
    dialog = shown(admin_client, "readmission-begin")
    assert "Whoever was revoked in between" in dialog
    assert "First revoke again what was revoked after the backup: root keys, then clients." in dialog
    assert root.name in dialog
    assert " ".join(digest.groups(str(root.fingerprint)[32:])) in strip_tags(dialog)
    assert "valid again: pc7.example." in dialog
    assert admin_client.post(begin, {"typed": "yes"}).status_code == 422
    assert readmission.standing(server, clock.now()) is None

    assert admin_client.post(begin, {"typed": server.fqdn}).status_code == 302
    assert "begun by alice. 0 clients came back by it." in " ".join(shown(admin_client).split())
    assert withdraw not in shown(auditor_client)
    assert "The 0 clients that came back by it stay." in shown(admin_client, "readmission-withdraw")
    assert admin_client.post(withdraw).status_code == 302
    assert admin_client.post(withdraw).status_code == 409
    assert begin in shown(admin_client)
    acts = Entry.objects.filter(subject_kind="readmission").order_by("seq").values_list("action", "actor")
    assert list(acts) == [(Action.READMISSION_BEGUN, "alice"), (Action.READMISSION_WITHDRAWN, "alice")]
