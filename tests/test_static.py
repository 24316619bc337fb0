"""The committed fonts and icons are those that vendor/build.py makes, and every icon that a page asks for exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ICONS = set((ROOT / "vendor/icons.txt").read_text().split())
USES = re.compile(r"""\{% icon "([^"]+)"|\bic="([a-z0-9-]+)\"""")


def test_the_committed_files_match_their_digests() -> None:
    subprocess.run([sys.executable, ROOT / "vendor/build.py", "--check"], check=True)


def test_the_sprite_holds_the_named_icons() -> None:
    sprite = (ROOT / "static/img/icons.svg").read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == ICONS


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_template_asks_only_for_icons_that_exist(path: Path) -> None:
    asked = {a or b for a, b in USES.findall(path.read_text())}
    assert asked <= ICONS


@pytest.mark.parametrize(
    "path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_template_fits_the_content_security_policy(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text())
    assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|javascript:|<style|js:", text)
    assert all("src=" in script or "application/json" in script for script in re.findall(r"<script[^>]*>", text))


def test_no_file_names_a_registry() -> None:
    assert "registry" not in (ROOT / "vendor/package-lock.json").read_text()
