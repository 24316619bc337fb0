"""The gateway is installed by itself: no Django, no database, no Celery, and nothing but what its extra names."""

import json
import re
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
import hsm.gateway.__main__, hsm.device.host
print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))
"""


def test_it_needs_what_the_extra_names_and_nothing_else(tmp_path: Path) -> None:
    """Import it, and the module host, where only the packages of requirements-gateway.lock are to be found."""
    for name in _pins("requirements-gateway.lock"):
        for top in _tops(name):
            (tmp_path / top.name).symlink_to(top)
    code = LOADED.format(path=[str(BASE_DIR), str(tmp_path)])
    # -I and -S: no other packages, no variables of this test run.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"django", "celery", "console", "keys", "settings_store", "trust"}
    assert {"gunicorn", "msgspec", "cryptography", "pkcs11"} <= loaded


def test_the_extra_and_the_pinned_set_say_the_same() -> None:
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())
    wanted = [line for line in _lines("requirements-gateway.in") if not line.startswith("-c")]
    assert sorted(project["project"]["optional-dependencies"]["gateway"]) == sorted(wanted)
    console = _pins("requirements.lock")
    pinned = _pins("requirements-gateway.lock")
    assert {re.split(r"[~=]", line)[0] for line in wanted} <= set(pinned)
    assert pinned == {name: console[name] for name in pinned}


def _pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((BASE_DIR / name).read_text()))


def _lines(name: str) -> list[str]:
    lines = (BASE_DIR / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _tops(distribution: str) -> set[Path]:
    """Return the top-level modules of an installed distribution."""
    found = metadata.distribution(distribution)
    names = {file.parts[0] for file in found.files or () if not file.parts[0].startswith("..")}
    tops = {Path(str(found.locate_file(name))) for name in names if not name.endswith(".dist-info")}
    return {top for top in tops if top.exists() and top.name != "__pycache__"}
