"""The client's unit and its instructions fit each other, its command line, and what it can be confined to (AMB-05)."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from console.env import BASE_DIR
from trust.agent.command import EX_CONFIG, _parser

UNIT = BASE_DIR / "deploy" / "keystead-agent.service"
COMMAND = "/opt/keystead-agent/bin/keystead-agent"
# systemd's measure, 0.0 to 10.0 times ten: what a service can reach that talks to a network and keeps a folder.
MOST_EXPOSED = "15"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_the_unit_and_little_that_it_could_reach(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(COMMAND, sys.executable))
    done = analyze("verify", str(unit))
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.stem in line]) == (0, [])
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit))
    assert done.returncode == 0, done.stdout


def test_the_unit_starts_the_command_as_it_is_installed() -> None:
    text = UNIT.read_text()
    program, *arguments = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0].split()
    scripts = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["scripts"]
    assert (program, Path(program).name in scripts) == (COMMAND, True)
    asked = _parser().parse_args(arguments)
    credential, directory = ("init-file", "keystead-agent")
    assert (str(asked.init), str(asked.dir)) == (f"%d/{credential}", f"%S/{directory}")
    assert f"LoadCredential={credential}:" in text
    assert f"StateDirectory={directory}\n" in text
    assert f"RestartPreventExitStatus={EX_CONFIG}\n" in text


def test_the_instructions_name_the_files_and_places_of_the_unit() -> None:
    text, manual = UNIT.read_text(), (BASE_DIR / "deploy" / "README.md").read_text()
    for file in re.findall(r"deploy/(keystead-agent[a-z.-]*)", manual):
        assert (BASE_DIR / "deploy" / file).is_file()
    init_file = re.findall(r"LoadCredential=init-file:(\S+)", text)[0]
    assert f"install -D -m 0600 keystead-init.dat {init_file}\n" in manual
    assert "--require-hashes -r requirements-agent.lock" in manual
    assert {COMMAND, "/var/lib/keystead-agent"} <= set(re.findall(r"(/\S+)", manual))
    user = re.findall(r"^User=(.*)$", text, re.MULTILINE)[0]
    assert f"\nu {user} " in (BASE_DIR / "deploy" / "keystead-agent.sysusers.conf").read_text()
