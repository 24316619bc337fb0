"""A keystead-init.dat in a real browser: from the click to the file on disk; and the end of its credential."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from console.accounts.models import User
from console.jobs.models import Job
from console.servers.models import Server
from keys import roots
from keys.models.subordinate import Subordinate
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.trust import rows
from trust.models.clients import NEVER
from trust.models.credentials import Credential
from trust.models.initfiles import InitFile, InitFileState
from trust.wire import initfile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database, pytest.mark.slow]

RunJobs = Callable[..., list[Job]]
NAMES = "ts1.example.com\nts2.example.com"


def test_a_file_is_downloaded_by_itself_and_its_credential_is_withdrawn(
    open_page: OpenPage, server: Server, admin: User, run_jobs: RunJobs, tmp_path: Path
) -> None:  # BND-03, BND-04, BND-15
    roots.request(actor=admin.actor, form_token=uuid.uuid4())
    run_jobs()
    page = open_page(admin)
    page.goto("/infrastructure/")
    judging.everything(page, "trust-infrastructure-without-client-7.2")
    page.click("#download-settings")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_be_focused()
    judging.axe(page)
    judging.shots(page, "trust-download-settings-dialog")
    dialog.get_by_label("ServerNameList").fill("not a name!:443")
    dialog.get_by_role("button", name="Download").click()
    expect(dialog.get_by_text("Give names without ports.")).to_be_visible()
    dialog.get_by_label("ServerNameList").fill(NAMES)
    dialog.get_by_label("Who gets the file").fill("Branch offices in Berlin")
    dialog.get_by_role("button", name="Download").click()
    expect(page.get_by_role("heading", name="Make keystead-init.dat")).to_be_visible()
    judging.everything(page, "trust-init-file-waiting")
    # Both looks that the page has by itself are lost: the one of five seconds, and that at the end of the job.
    page.route("**/state/?waited=1", lambda route: route.abort(), times=2)
    with page.expect_download(timeout=60_000) as begun:
        run_jobs()
    assert begun.value.suggested_filename == "keystead-init.dat"
    begun.value.save_as(tmp_path / "keystead-init.dat")
    content = initfile.decode((tmp_path / "keystead-init.dat").read_bytes())
    assert content.settings == {"ServerNameList": NAMES.replace("\n", ",")}
    expect(page.get_by_text("it is not handed out twice")).to_be_visible(timeout=60_000)
    judging.everything(page, "trust-init-file-handed-out")
    assert InitFile.objects.get().state == InitFileState.HANDED_OUT
    credential = Credential.objects.get()
    add_enrolled(credential)
    page.get_by_role("link", name="Enrolment credential", exact=True).click()
    judging.everything(page, "trust-credential-enrolled")
    page.click("#withdraw")
    expect(dialog.get_by_text("lost-0.example.com")).to_be_visible()
    judging.axe(page)
    judging.shots(page, "trust-credential-withdraw-dialog")
    dialog.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("It enrols nobody any more.")).to_be_visible()
    judging.everything(page, "trust-credential-withdrawn")
    credential.refresh_from_db()
    assert credential.withdrawn_by == admin.username


def add_enrolled(credential: Credential) -> None:
    """Have three clients enrol; two of them never registered with their certificate."""
    issuer = Subordinate.objects.get(purpose="client-tls-ca", state="active")
    for number in range(3):
        last_seen = {} if number == 2 else {"last_seen": NEVER}
        client = rows.client(credential.server, f"lost-{number}.example.com", credential=credential, **last_seen)
        client.root = issuer.root
        client.save()
        rows.certificate(client, issuer, issued_at=client.created_at)
    Credential.objects.filter(pk=credential.pk).update(uses=3)
