"""The command line of the client, as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.processes import wait_for
from tests.trust.agent.reference import SECRET, Clock, Server, log_of
from trust.agent.command import main
from trust.agent.directory import Directory


def agent(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "trust.agent", *map(str, arguments)]


@pytest.fixture
def init(tmp_path: Path) -> Path:
    path = tmp_path / "keystead-init.dat"
    path.write_bytes(Server(Clock()).init_file())
    return path


def test_a_local_setting_is_set_and_deleted(tmp_path: Path) -> None:
    assert main(["--dir", str(tmp_path), "--set", "TLSMode=0", "--set", "ServerNameList=a.example,b.example"]) == 0
    assert json.loads((tmp_path / "settings.json").read_text()) == {
        "ServerNameList": "a.example,b.example",
        "TLSMode": 0,
    }
    assert main(["--dir", str(tmp_path), "--unset", "TLSMode", "--unset", "NotThere"]) == 0
    assert Directory(tmp_path).settings.all() == {"ServerNameList": "a.example,b.example"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--set", "TLSMode"],
        ["--set", "Server_TLSMode=0"],
        ["--init", "/nowhere"],
        ["--protocol", "314"],
        ["--protocol", "314", "--public-key", __file__, "--server", "server.example"],
    ],
)
def test_it_says_why_it_cannot_start(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["--dir", str(tmp_path), *arguments]) == 78
    assert capsys.readouterr().err.startswith("keystead-agent: ")


def test_a_file_that_is_damaged_is_not_quoted(tmp_path: Path, init: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init.write_bytes(init.read_bytes().replace(b'"signature"', b'"signaturf"'))
    assert main(["--dir", str(tmp_path / "d"), "--init", str(init)]) == 78
    shown = capsys.readouterr()
    assert "damaged" in shown.err
    assert SECRET not in shown.err + shown.out


def test_once_does_what_is_due_and_ends_whether_the_server_is_there_or_not(tmp_path: Path, init: Path) -> None:
    folder = tmp_path / "d"
    argv = agent("--dir", folder, "--init", init, "--name", "c.example", "--connect", "127.0.0.1:1:1", "--once")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(folder))}/Logs says what was done\. The next is due at .* UTC\.\n", done.stdout
    )
    assert "enrolment-failed" in log_of(folder, "pki-tls.log")
    assert SECRET not in log_of(folder) + log_of(folder, "pki-tls.log")


def test_it_runs_alone_in_its_directory_until_sigterm(tmp_path: Path, init: Path) -> None:
    folder = tmp_path / "d"
    argv = agent("--dir", folder, "--init", init, "--name", "c.example", "--connect", "127.0.0.1:1:1")
    with subprocess.Popen(argv) as process:
        try:
            wait_for(lambda: bool(log_of(folder, "pki-tls.log")), what="the first try")
            assert SECRET.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
            second = subprocess.run([*argv, "--once"], capture_output=True, text=True, check=False, timeout=120)
            assert (second.returncode, "Another process" in second.stderr) == (78, True)
            began = time.monotonic()
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0
            assert time.monotonic() - began < 30
        finally:
            process.kill()
