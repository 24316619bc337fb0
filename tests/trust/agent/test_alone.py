"""The client is installed by itself: no Django, nothing of the console, and no package but those of its extra."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from console.env import BASE_DIR

PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
LOADED = """
import json, sys
sys.path[:0] = {path!r}
import trust.agent.__main__, trust.agent.http, trust.anchors
status = trust.agent.__main__.main(["--dir", {path!r}[0] + "/d", "--set", "TLSMode=0"])
print(json.dumps([status, sorted({{name.partition('.')[0] for name in sys.modules}})]))
"""


def test_the_wheel_runs_with_the_packages_of_its_extra_alone(tmp_path: Path) -> None:  # AMB-05
    """Lay out what the wheel holds, with the packages of requirements-agent.lock and no others, and run it."""
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())
    held = project["tool"]["setuptools"]
    assert project["project"]["scripts"] == {"keystead-agent": "trust.agent.command:main"}
    modules = [BASE_DIR / f"{name.replace('.', '/')}.py" for name in held["py-modules"]]
    packages = [file for name in held["packages"] for file in (BASE_DIR / name.replace(".", "/")).glob("*.py")]
    for file in (*modules, *packages):
        target = tmp_path / file.relative_to(BASE_DIR)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for name in pins("requirements-agent.lock"):
        for top in tops(name):
            (tmp_path / top.name).symlink_to(top)
    # -I and -S: no other packages, no variables of this test run.
    code = LOADED.format(path=[str(tmp_path)])
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status, loaded = json.loads(done.stdout)
    assert status == 0
    assert not set(loaded) & {"django", "celery", "console", "keys", "hsm", "settings_store", "asn1crypto"}
    assert {"trust", "msgspec", "cryptography"} <= set(loaded)
    assert json.loads((tmp_path / "d" / "settings.json").read_text()) == {"TLSMode": 0}


def test_the_extra_and_the_pinned_set_say_the_same() -> None:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())
    lines = (BASE_DIR / "requirements-agent.in").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", "-c"))]
    assert sorted(project["project"]["optional-dependencies"]["agent"]) == sorted(wanted)
    console, pinned = pins("requirements.lock"), pins("requirements-agent.lock")
    assert {re.split(r"[~=]", line)[0] for line in wanted} <= set(pinned)
    assert pinned == {name: console[name] for name in pinned}


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((BASE_DIR / name).read_text()))


def tops(distribution: str) -> set[Path]:
    """Return the top-level modules of an installed distribution."""
    found = metadata.distribution(distribution)
    names = {file.parts[0] for file in found.files or () if not file.parts[0].startswith("..")}
    paths = {Path(str(found.locate_file(name))) for name in names if not name.endswith(".dist-info")}
    return {top for top in paths if top.exists() and top.name != "__pycache__"}
