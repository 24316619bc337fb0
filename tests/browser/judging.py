"""What a page must pass: accessibility, no sideways scroll, a silent console, and a look at it in pictures."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import ConsoleMessage, Page, ViewportSize

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Chromium reports every answer of 400 and more; a form that is refused with 422 is no fault of the page.
EXPECTED = re.compile(r"the server responded with a status of 4(03|04|09|22|29) ")

DESKTOP = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
CUT_OFF = """() => [...document.querySelectorAll(".impact .nowrap")]
    .filter((part) => part.getBoundingClientRect().right > part.closest(".impact").getBoundingClientRect().right)
    .map((part) => part.textContent)"""
LIGHT: Literal["light"] = "light"
DARK: Literal["dark"] = "dark"


def axe(page: Page) -> None:
    """Fail with a readable list unless axe-core finds nothing against WCAG 2.2 AA or its best practices."""
    _fail_on_violations(page, AXE_TAGS)


def contrast(page: Page) -> None:
    """Fail unless axe-core finds texts and links readable: all that another colour scheme can change."""
    _fail_on_violations(page, {"type": "rule", "values": ["color-contrast", "link-in-text-block"]})


def _fail_on_violations(page: Page, rules: object) -> None:
    """Run rules of axe-core. What passed stays in the browser: to send it here takes as long as the rules."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(
        "options => axe.run(options).then(({violations}) => violations)",
        {"runOnly": rules, "resultTypes": ["violations"]},
    )
    found = AxeResults({"violations": violations})
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"


def no_sideways_scroll(page: Page) -> None:
    """Fail when the page is wider than its window, or a fact than its box; wide parts scroll by themselves."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth"), f"{page.url} is {width} pixels wide"
    cut = page.evaluate(CUT_OFF)
    assert not cut, f"{page.url} cuts off {cut}"


def one_heading(page: Page) -> None:
    """Fail unless the page has exactly one h1, and it says something."""
    texts = [text.strip() for text in page.locator("h1").all_inner_texts()]
    assert len(texts) == 1, f"{page.url} has the headings {texts}"
    assert texts[0], f"{page.url} has an empty heading"


def everything(page: Page, name: str = "") -> None:
    """Judge what is on the screen now, in light, dark and on a phone; with a name, take its pictures."""
    one_heading(page)
    axe(page)
    page.emulate_media(color_scheme=DARK)
    contrast(page)
    page.emulate_media(color_scheme=LIGHT)
    page.set_viewport_size(PHONE)
    no_sideways_scroll(page)
    page.set_viewport_size(DESKTOP)
    if name:
        shots(page, name)


def shots(page: Page, name: str) -> None:
    """Write pictures at 1440 (light, dark) and 390 into the folder KEYSTEAD_SHOTS; without it take none."""
    if not (wanted := os.environ.get("KEYSTEAD_SHOTS")):
        return
    folder = Path(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for label, scheme, size in (("light", LIGHT, DESKTOP), ("dark", DARK, DESKTOP), ("phone", LIGHT, PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        page.screenshot(path=folder / f"{name}-{label}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)


@contextmanager
def silent(page: Page) -> Iterator[list[str]]:
    """Fail when the console gets an error or a policy violation, or a script throws, while the body runs."""
    said: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        violates = "Content Security Policy" in message.text
        if violates or (message.type == "error" and not EXPECTED.search(message.text)):
            said.append(f"{page.url}: {message.text}")

    def thrown(error: Exception) -> None:
        said.append(f"{page.url}: {error}")

    page.on("console", heard)
    page.on("pageerror", thrown)
    try:
        yield said
    finally:
        page.remove_listener("console", heard)
        page.remove_listener("pageerror", thrown)
    assert not said, "\n".join(said)
