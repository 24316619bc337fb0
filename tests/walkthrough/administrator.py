"""What an administrator does in the browser, as verbs. Every wait is for a condition on the page."""

import re
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

PASSWORD = "correct horse battery staple"
JOB_MS = 180_000


@dataclass
class Administrator:
    """One person at one browser."""

    page: Page
    address: str
    name: str = "admin"
    password: str = PASSWORD
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(60_000)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: object) -> None:
        text = str(getattr(message, "text", ""))
        if "Content Security Policy" in text or "status of 500" in text:
            self.troubles.append(text)

    def go(self, path: str) -> None:
        """Open a page by its address."""
        answer = self.page.goto(f"{self.address}{path}")
        assert answer, path
        assert answer.status == 200, (path, answer.status)

    def walk(self, *labels: str) -> None:
        """Follow the main menu by its labels, as the documented paths say."""
        self.page.locator("#side").get_by_role("link", name=labels[-1], exact=True).click()
        expect(self.page.locator("h1")).to_contain_text(labels[-1])

    def sign_in(self, password: str) -> None:
        """Sign in by name and password."""
        self.page.goto(f"{self.address}/")
        self.page.get_by_label("User name").fill(self.name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign In").click()

    def sign_in_first(self, first_password: str) -> None:
        """Sign in with the one-time password, which must be changed at once."""
        self.sign_in(first_password)
        expect(self.page.locator("h1")).to_have_text("Choose your own password")
        self.page.locator("[name=oldpassword]").fill(first_password)
        self.page.locator("[name=password1]").fill(self.password)
        self.page.locator("[name=password2]").fill(self.password)
        self.page.locator("main").get_by_role("button").first.click()
        expect(self.page.locator("h1")).to_have_text("Home")

    def add_setting(self, name: str, value_type: str, value: str) -> None:
        """Add a Local setting by hand: the steps of SET-48."""
        self.go("/settings/")
        self.page.get_by_role("link", name="Add Setting").click()
        expect(self.page.locator("h1")).to_have_text("Add Setting")
        name_box = self.page.get_by_label("Platform Setting Name")
        name_box.fill(name)
        name_box.blur()
        # The form grows by what is known about the setting, and Save moves down with it.
        expect(self.page.get_by_role("region", name=f"About {name}")).to_be_visible()
        expect(self.page.get_by_label("Value Type")).to_have_value(value_type)
        self.page.get_by_label("Setting Type").select_option("Local")
        self.page.locator("[name=value]").fill(value)
        self.save()

    def change_setting(self, name: str, value: str) -> None:
        """Click the name in the grid, enter a value, Save: the steps of SET-05 and SET-06."""
        self.go(f"/settings/?q={name}")
        self.page.get_by_role("link", name=name, exact=True).click()
        self.page.locator("[name=value]").fill(value)
        self.save()

    def save(self) -> None:
        """Press Save and see that the form was taken."""
        self.page.get_by_role("button", name="Save", exact=True).click()
        expect(self.page.locator("main")).to_contain_text(" is saved.")

    def check_integration(self) -> None:
        """Run Check HSM integration to its end."""
        self.go("/hsm/check/")
        self.page.get_by_role("button", name=re.compile("^Check")).click()
        expect(self.page.locator("#check-report")).not_to_have_attribute("hx-get", re.compile("."), timeout=JOB_MS)

    def create_key(self, name: str) -> Locator:
        """Create New Key, and wait for its tile without a reload."""
        self.go("/keys/")
        self.page.get_by_role("link", name="Create New Key").click()
        dialog = self.page.locator("dialog")
        dialog.get_by_role("button", name="Create New Key").click()
        tile = self.tile(name)
        expect(tile).to_be_visible(timeout=JOB_MS)
        return tile

    def tile(self, name: str) -> Locator:
        """Return the tile of a root key."""
        return self.page.locator("li.tile").filter(has=self.page.get_by_role("heading", name=name, exact=True))

    def open_revoke_dialog(self, name: str) -> Locator:
        """Open the dialog behind Revoke Key."""
        self.go("/keys/")
        self.tile(name).get_by_role("link", name=re.compile("Revoke Key|Move or run now")).first.click()
        dialog = self.page.locator("dialog")
        expect(dialog).to_be_visible()
        return dialog

    def revoke_now(self, name: str, *, reason: str = "policy") -> None:
        """Revoke a key at once, and wait until its tile is gone."""
        dialog = self.open_revoke_dialog(name)
        dialog.locator("[name=when][value=now]").check()
        dialog.locator("[name=reason]").select_option(reason)
        dialog.locator("[name=backup]").check()
        dialog.locator("[name=typed]").fill(name)
        dialog.get_by_role("button", name="Revoke Key").click()
        expect(self.tile(name)).to_have_count(0, timeout=JOB_MS)

    def wait_for_job(self, kind: str, state: str = "Succeeded") -> None:
        """Open the newest job of a kind on Background Jobs and wait until it has ended so."""
        self.go("/jobs/?tab=all")
        self.page.locator("tbody tr").filter(has_text=kind).first.get_by_role("link", name=kind).click()
        expect(self.page.locator("main .state").first).to_have_text(state, timeout=JOB_MS)
