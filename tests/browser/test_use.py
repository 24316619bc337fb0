"""Use key in Chromium: the result appears by itself, survives reload and Back, and no other browser reads it."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from console.accounts.models import User
from console.jobs.models import Job
from hsm import members
from hsm.device.base import KeySpec
from hsm.device.objects import operations_of
from hsm.models.groups import Group, GroupRole
from hsm.models.objects import SecurityObject
from hsm.objects import generation
from tests.browser import judging
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.one_database

RunJobs = Callable[..., list[Job]]


@pytest.fixture
def key(software_group: Group, admin: User, run_jobs: RunJobs) -> SecurityObject:
    wanted = generation.Wanted("archive", KeySpec.AES_256, operations_of(KeySpec.AES_256))
    made, _ = generation.request(software_group, wanted, actor=admin.actor)
    run_jobs()
    return made


def start(page: Page, key: SecurityObject, text: str) -> None:
    """Encrypt a text from the page of the key; the job waits then."""
    page.goto(reverse("hsm:object", args=[key.pk]))
    page.get_by_role("link", name="Encrypt").click()
    page.get_by_label("Data to encrypt").fill(text)
    page.get_by_role("button", name="Encrypt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Encrypt with {key.name}")


def test_a_member_encrypts_and_decrypts_and_nobody_else_reads_it(
    open_page: OpenPage,
    key: SecurityObject,
    software_group: Group,
    admin: User,
    plain_user: User,
    run_jobs: RunJobs,
) -> None:
    members.add(software_group, plain_user.username, GroupRole.MEMBER, actor=admin.actor)
    page = open_page(plain_user)
    with judging.silent(page):
        page.goto("/")
        page.get_by_role("link", name="Security Objects").click()
        page.get_by_role("link", name="archive").click()
        start(page, key, "pay nobody")
        expect(page.get_by_text("Queued")).to_be_visible()
        run_jobs()
        shown = page.locator(".answer pre").first
        expect(shown).to_be_visible()  # by itself: the card has asked again
        closed = shown.inner_text()
        judging.one_heading(page)
        judging.axe(page)
        judging.no_sideways_scroll(page)
        judging.shots(page, "use-result")
        address = page.url
        page.reload()
        expect(page.locator(".answer pre").first).to_have_text(closed)
        page.get_by_role("link", name="Do another").click()
        page.go_back()
        expect(page.locator(".answer pre").first).to_have_text(closed)
        page.goto(f"{reverse('hsm:object-use', args=[key.pk])}?operation=decrypt")
        page.get_by_label("Data to decrypt").fill(closed)
        page.get_by_role("button", name="Decrypt").click()
        run_jobs()
        expect(page.locator(".answer pre").first).to_have_text("pay nobody")
        judging.shots(page, "use-result-decrypted")
    other = open_page(plain_user)  # another browser of the same user
    with judging.silent(other):
        other.goto(address)
        expect(other.get_by_text("This browser cannot read the result.")).to_be_visible()
        expect(other.locator(".answer")).to_have_count(0)
