"""The version stands in two places, because a wheel of the client holds nothing of the console."""

import tomllib

from console.env import BASE_DIR
from console.lib.version import VERSION


def test_both_places_say_the_same() -> None:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
