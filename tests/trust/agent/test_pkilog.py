"""The client's PKI log: the form of the server's, lines that nobody can forge, rotation, and a disk that is full."""

import errno
import os
from pathlib import Path

import pytest

from console.pkilog import line as server_line
from tests.trust.agent.reference import START, Clock, Server, Wire, begin, log_of, offline, run
from trust.agent import pkilog
from trust.agent.directory import Directory
from trust.agent.pkilog import Level, PkiLog


def test_a_line_is_one_that_the_server_would_write(tmp_path: Path) -> None:  # HSI-44
    PkiLog(tmp_path / "Logs", Clock()).tls("a b", 'x" y\nz', "ü" * 600, Level.ERROR)
    (text,) = log_of(tmp_path, "pki-tls.log").splitlines()
    found = server_line.parse(text)
    assert found
    assert (found.at, found.level, found.event, found.subject) == (START, "ERROR", "a-b", 'x" y\nz')
    assert len(found.result) == pkilog.LONGEST
    assert found.text() == text


def test_it_is_rotated_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkilog, "ROTATE_BYTES", 300)
    log = PkiLog(tmp_path, Clock())
    for number in range(40):
        log.key("event", f"{number}")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["pki.log", "pki.log.1", "pki.log.2", "pki.log.3", "pki.log.4"]
    assert 'subject="39"' in (tmp_path / "pki.log").read_text()
    assert 'subject="0"' not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_a_full_disk_keeps_it_from_nothing_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    server = Server(clock)
    wire, reserved = Wire(server), list[int]()
    agent = begin(tmp_path, server, wire)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", _full)
    for _ in range(4):
        clock.now = agent.step()
    assert "disk: No space left on device" in log_of(tmp_path)
    assert not server.registrations
    monkeypatch.setattr(os, "fsync", fsync)
    run(agent, clock, lambda: bool(server.registrations))
    assert len(server.issued) == 1
    # The numbers that a full disk did not take are on it before the next is used.
    agent._client.counter = agent.state.counter
    monkeypatch.setattr(os, "fsync", _full)
    clock.now = agent.due
    agent.step()
    monkeypatch.setattr(os, "fsync", fsync)
    wire.before = lambda _door, _request: reserved.append(Directory(tmp_path).load().counter)
    run(agent, clock, lambda: len(server.registrations) == 2)
    assert reserved[-1] >= server.registrations[-1][0].counter


def test_a_log_that_cannot_be_written_stands_in_nobodys_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    server = Server(clock)
    wire = Wire(server, before=offline)
    agent = begin(tmp_path, server, wire)
    monkeypatch.setattr(os, "write", lambda *_arguments: _full(0))
    agent.step()
    assert "No space left on device" in capsys.readouterr().err


def _full(_descriptor: int) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
