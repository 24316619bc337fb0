"""What the documents name is there: files, folders, commands, links."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

from console.env import BASE_DIR

# What a run makes, and what is not ours, is no folder of the project.
FOLDERS = {path.name for path in BASE_DIR.iterdir() if path.is_dir()} - {"build", "var", ".venv", ".git"}
# docs/style.md names files of the projects that it learnt from.
DOCUMENTS = sorted({*BASE_DIR.glob("*.md"), *BASE_DIR.glob("docs/**/*.md"), *BASE_DIR.glob("deploy/**/*.md")})
DOCUMENTS.remove(BASE_DIR / "docs/style.md")
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?")
RUN = re.compile(r"\./run (\w+)")
MANAGE = re.compile(r"(?:manage\.py|\./run manage) (\w+)\b(?!\.)")
MODULE = re.compile(r"python -m ([\w.]+)")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(BASE_DIR)))
def document(request: pytest.FixtureRequest) -> tuple[Path, str]:
    return request.param, request.param.read_text(encoding="utf-8")


def paths(text: str) -> Iterator[str]:
    """Yield what is written as code and begins with a folder of this project."""
    for code in CODE.findall(text):
        name = code.partition("::")[0].rstrip(".,")
        if PATH.fullmatch(name) and name.partition("/")[0] in FOLDERS and "NNNN" not in name:
            yield name


def test_every_path_and_link_leads_somewhere(document: tuple[Path, str]) -> None:
    path, text = document
    missing = [name for name in paths(text) if not (BASE_DIR / name).exists()]
    missing += [name for name in LINK.findall(text) if not (path.parent / name).exists()]
    assert missing == []


def test_every_command_exists(document: tuple[Path, str]) -> None:
    _, text = document
    assert set(MANAGE.findall(text)) <= set(get_commands())
    modes = set(re.findall(r"^    (\w+)\)$", (BASE_DIR / "run").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(RUN.findall(text)) <= modes
    assert [name for name in MODULE.findall(text) if find_spec(name) is None] == []
