"""The command line of the client, as a process of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_it_runs_alone_in_its_directory_until_a_signal_also_while_it_waits_for_its_server(
    tmp_path: Path, init: Path
) -> None:
    folder = tmp_path / "d"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        port = silent.getsockname()[1]
        argv = agent("--dir", folder, "--init", init, "--name", "c.example", "--connect", f"127.0.0.1:{port}")
        for number in (signal.SIGTERM, signal.SIGINT):
            with subprocess.Popen(argv) as process:
                try:
                    with silent.accept()[0]:
                        assert SECRET.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
                        second = subprocess.run([*argv, "--once"], capture_output=True, text=True, check=False)
                        assert (second.returncode, "Another process" in second.stderr) == (78, True)
                        process.send_signal(number)
                        assert process.wait(60) == 0
                finally:
                    process.kill()
    assert not log_of(folder, "pki-tls.log")  # no try came to its end: it did not wait for its deadline


def test_a_place_that_cannot_be_its_directory_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--dir", str(tmp_path / "file")]) == 74
    assert re.fullmatch(r"keystead-agent: .*/file: File exists\.\n", capsys.readouterr().err)
