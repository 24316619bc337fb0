"""Create New Key and Revoke Key in a real browser: dialogs in place, no reload, and the record on the page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from console.jobs.models import Job
from keys.models.root import Root, RootState
from tests.browser import judging
from tests.browser.conftest import OpenPage
from tests.browser.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

RunJobs = Callable[..., list[Job]]


def test_a_new_tile_appears_and_the_old_key_is_planned_to_go(
    open_page: OpenPage, world: World, run_jobs: RunJobs
) -> None:  # KEY-19, MIS-10
    page = open_page(world.admin)
    page.goto("/keys/")
    page.evaluate("window.notReloaded = true")
    page.click("#create-key")
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_be_focused()
    dialog.get_by_role("button", name="Create New Key").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="Create root key")).to_be_visible()
    run_jobs()
    expect(page.get_by_role("heading", name="ts1.example.com Root 2")).to_be_visible()
    page.set_viewport_size(judging.PHONE)
    judging.no_sideways_scroll(page)
    page.set_viewport_size(judging.DESKTOP)
    page.get_by_role("button", name="Schedule revocation of Root 1 for").click()
    expect(page.locator(f"#cancel-{world.new.pk}")).to_be_visible()
    page.click(f"#cancel-{world.new.pk}")
    expect(page.get_by_role("button", name="Schedule revocation of Root 1 for")).to_be_visible()
    assert page.evaluate("window.notReloaded") is True


def test_a_wrong_name_is_told_inside_the_dialog_and_the_right_one_revokes(
    open_page: OpenPage, world: World, run_jobs: RunJobs
) -> None:  # KEY-23
    page = open_page(world.admin)
    page.goto("/keys/")
    page.click(f"#revoke-{world.old.pk}")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Now", exact=True).check()
    dialog.get_by_label("I have a backup from before").check()
    typed = dialog.get_by_label(f"To confirm, type {world.old.name}")
    typed.fill("ts1 root 0")
    dialog.get_by_role("button", name="Revoke Key").click()
    expect(dialog.get_by_text("The name does not match.")).to_be_visible()
    expect(typed).to_be_focused()
    typed.fill(world.old.name)
    dialog.get_by_role("button", name="Revoke Key").click()
    expect(dialog).to_have_count(0)
    run_jobs()
    page.reload()
    expect(page.get_by_role("heading", name=world.old.name, exact=True)).to_have_count(0)
    assert Root.objects.get(pk=world.old.pk).state == RootState.REVOKED


def test_escape_gives_the_focus_back(open_page: OpenPage, world: World) -> None:
    page = open_page(world.admin)
    page.goto("/keys/")
    page.click(f"#revoke-{world.old.pk}")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"#revoke-{world.old.pk}")).to_be_focused()
