"""The walkthrough: from an empty machine to a revoked root, in a real browser, against a real token.

Rows of docs/requirements.md that only the whole can show are named at each step.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.bootstrap.conftest import Console
from tests.fixtures.softhsm import SoftHsm
from tests.walkthrough.administrator import Administrator

pytestmark = [pytest.mark.slow]

IN_A_WEEK = re.compile(r"Schedule revocation of Root 0 for")


def _names(admin: Administrator) -> str:
    """Return the server's name, as the shell shows it."""
    return admin.page.locator("#side .env strong").inner_text()


def _use_token(admin: Administrator, hsm: SoftHsm, label: str, pin: str) -> None:
    """Add the HSM settings by hand, as SET-48 says, for both kinds of key."""
    admin.add_setting("HSMModulePath", "Text", hsm.module)
    for kind in ("Root", "MessageSigning"):
        admin.add_setting(f"Keys.{kind}.UseHSM", "Numeric", "1")
        admin.add_setting(f"Keys.{kind}.HSMPassword", "Protected", pin)
        admin.add_setting(f"Keys.{kind}.HSMTokenName", "Text", label)


def test_a_root_is_made_on_the_token_and_the_old_one_revoked(
    admin: Administrator, hsm: SoftHsm, open_browser: Callable[..., Administrator], fresh: Console
) -> None:  # STK-05, STK-08, HSI-16, KEY-01, KEY-03, KEY-19, KEY-23, SET-17, SET-18
    server = _names(admin)
    demo = hsm.tokens[0]
    admin.walk("Settings", "Advanced Settings")  # NAV-01
    admin.walk("Key & Trust Management", "Activity Log")  # NAV-03
    expect(admin.page.get_by_role("heading", name="All Root Keys")).to_be_visible()
    admin.walk("Key & Trust Management", "Current Server")  # NAV-02
    expect(admin.tile(f"{server} Root 0")).to_be_visible()
    expect(admin.tile("legacy-root")).to_be_visible()

    _use_token(admin, hsm, demo.label, demo.pin)
    admin.go("/settings/?q=HSM")
    assert demo.pin not in admin.page.content()  # SET-07
    admin.check_integration()
    expect(admin.page.locator("#check-report li.bad")).to_have_count(0)
    expect(admin.page.locator("#check-report")).to_contain_text("are in order")

    tile = admin.create_key(f"{server} Root 1")
    expect(tile).to_contain_text(demo.label)
    admin.wait_for_job("Make subordinate keys")
    private = hsm.objects(demo)
    assert f"{server} Root 1" in private
    assert "Message-signing" in private
    assert "sensitive, always sensitive, never extractable, local" in private  # HSI-03

    admin.go("/keys/")
    admin.page.get_by_role("button", name=IN_A_WEEK).click()  # MIS-10, HSI-24
    expect(admin.tile(f"{server} Root 0")).to_contain_text("Revocation planned")
    admin.go("/jobs/?tab=scheduled")
    expect(admin.page.locator("tbody")).to_contain_text(f"{server} Root 0")

    admin.revoke_now(f"{server} Root 0")
    admin.wait_for_job("Destroy private key")
    admin.go("/keys/activity/")
    expect(admin.page.locator("section", has_text="All Root Keys").first).to_contain_text("Revoked")  # LOG-03
    _verify_the_log(admin)
    _look_as_auditor(admin, open_browser)
    _no_secret_outside_its_file(fresh, demo.pin)


def _verify_the_log(admin: Administrator) -> None:
    admin.go("/activity/verify/")
    admin.page.get_by_role("button", name="Verify now").click()
    expect(admin.page.locator("#verification")).to_contain_text("Intact", timeout=180_000)


def _look_as_auditor(admin: Administrator, open_browser: Callable[..., Administrator]) -> None:
    """Sit down at a second browser: the Auditor sees the keys and has no control over them (ROL-02)."""
    admin.go("/users/new/")
    admin.page.locator("[name=username]").fill("audrey")
    admin.page.locator("[name=password1]").fill("an initial password 1")
    admin.page.locator("[name=password2]").fill("an initial password 1")
    admin.page.get_by_role("button", name="Create User").click()
    admin.page.get_by_role("link", name="Grant Auditor").click()
    admin.page.locator("dialog").get_by_role("button", name=re.compile("^Grant")).click()
    expect(admin.page.locator("main")).to_contain_text("by admin")
    audrey = open_browser("audrey")
    audrey.sign_in_first("an initial password 1")
    audrey.go("/keys/")
    expect(audrey.page.locator("li.tile").first).to_be_visible()
    expect(audrey.page.get_by_role("link", name="Create New Key")).to_have_count(0)
    assert audrey.page.request.post(f"{audrey.address}/keys/create/").status == 403


def _no_secret_outside_its_file(fresh: Console, pin: str) -> None:
    """See that the PIN stands in its own file, and nowhere else below the state folder (MIS-13, SET-10)."""
    for path in fresh.state.root.rglob("*"):
        if path.is_file() and path.name != "softhsm-pin" and path.stat().st_size < 50_000_000:
            assert pin.encode() not in path.read_bytes(), path


@pytest.mark.one_database
def test_the_keys_move_to_another_token_and_back(admin: Administrator, hsm: SoftHsm) -> None:
    """Migrate, disable, remove: each key stays usable where it was made (HSI-30 to HSI-34, SET-12)."""
    server = _names(admin)
    demo = hsm.tokens[0]
    _use_token(admin, hsm, demo.label, demo.pin)
    admin.create_key(f"{server} Root 1")
    admin.wait_for_job("Make subordinate keys")

    other = hsm.token("second-appliance", "97531864")
    for kind in ("Root", "MessageSigning"):
        admin.change_setting(f"Keys.{kind}.HSMTokenName", other.label)
        admin.change_setting(f"Keys.{kind}.HSMPassword", other.pin)
    expect(admin.create_key(f"{server} Root 2")).to_contain_text(other.label)
    admin.wait_for_job("Make subordinate keys")
    admin.wait_for_job("Cross-certify root keys")
    assert f"{server} Root 2" in hsm.objects(other)

    admin.revoke_now(f"{server} Root 1")
    admin.wait_for_job("Destroy private key")
    assert f"{server} Root 1" not in hsm.objects(demo)

    for kind in ("Root", "MessageSigning"):
        admin.change_setting(f"Keys.{kind}.UseHSM", "0")
    expect(admin.create_key(f"{server} Root 3")).to_contain_text("pki.db")

    admin.go("/settings/?q=HSM")
    admin.page.get_by_label("Select all rows").check()
    admin.page.get_by_role("button", name="Delete Selected Settings").click()
    dialog = admin.page.locator("dialog")
    expect(dialog).to_contain_text(f"{server} Root 2")
    dialog.get_by_role("button", name=re.compile("^Delete")).click()
    expect(dialog).to_have_count(0)
    admin.go("/settings/?q=HSM")
    expect(admin.page.locator("main")).to_contain_text("No setting fits")

    admin.go("/keys/hsm-integration/step/verify/")
    admin.page.locator("main").get_by_role("button", name="Verify", exact=True).click()
    expect(admin.page.locator("ul.checks li.ok").first).to_be_visible(timeout=180_000)
    # No client is there to be asked; tests/walkthrough/test_clients.py has some.
    bad = admin.page.locator("ul.checks li.bad")
    expect(bad).to_have_count(2)
    expect(bad.filter(has_text=re.compile("Clients connected|A question answered"))).to_have_count(2)
