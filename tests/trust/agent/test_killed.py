"""A client that dies at any moment at which it changes its disk goes on afterwards, and has one certificate."""

from pathlib import Path

import pytest

from tests.trust.agent.reference import Clock, Server, Wire, begin, middle, run
from trust.agent import files
from trust.agent.agent import Agent
from trust.agent.directory import Directory


class DiedError(Exception):
    """kill -9."""


class Disk:
    """Counts what is put in its place, and dies before or after the one with a number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.dies_at, self.before = 0, -1, True
        self._replace, self._unlink = Path.replace, Path.unlink
        monkeypatch.setattr(Path, "replace", lambda path, target: self._do(self._replace, path, target))
        monkeypatch.setattr(Path, "unlink", lambda path, **options: self._do(self._unlink, path, **options))

    def _do(self, act: object, path: Path, *arguments: object, **options: object) -> object:
        self.count += 1
        if self.count == self.dies_at and self.before:
            raise DiedError
        try:
            return act(path, *arguments, **options)  # type: ignore[operator]
        finally:
            if self.count == self.dies_at:
                raise DiedError

    def die_at(self, number: int, *, before: bool) -> None:
        self.count, self.dies_at, self.before = 0, number, before


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_every_change_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:  # AMB-05
    disk = Disk(monkeypatch)
    number = 0
    while True:
        number += 1
        clock = Clock()
        server = Server(clock)
        wire, folder = Wire(server), tmp_path / f"{number}"
        disk.die_at(number, before=before)
        try:
            agent = begin(folder, server, wire)
            server.rotate()
            run(agent, clock, lambda agent=agent: len(agent.state.roots) == 2)  # type: ignore[misc]
        except DiedError:
            pass
        else:
            break
        disk.die_at(-1, before=before)
        if len(server.roots) == 1:
            server.rotate()
        agent = begin(folder, server, wire)
        run(agent, clock, lambda agent=agent: len(agent.state.roots) == 2 and agent.state.identity)  # type: ignore[misc]
        assert len(server.issued) == 1
        counters = [said.counter for said, _door in server.registrations]
        assert counters == sorted(set(counters))
        assert len(list((folder / "keys").glob("*.key"))) == 1
        assert not list(folder.rglob("*.new"))
    assert number > 8  # state, key, request, doubt, chain, identity, counter, settings …


def test_what_is_half_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    files.write(path, b"old")
    monkeypatch.setattr("os.fsync", _die)
    with pytest.raises(DiedError):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    files.write(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [left.name for left in tmp_path.iterdir()] == ["state.json"]


def _die(_descriptor: int) -> None:
    raise DiedError


def test_a_state_that_is_damaged_is_said(tmp_path: Path) -> None:
    clock = Clock()
    server = Server(clock)
    agent = begin(tmp_path, server, Wire(server))
    agent.step()
    (tmp_path / "state.json").write_bytes(b'{"name": 5}')
    with pytest.raises(Exception, match="cannot be read"):
        Agent(tmp_path, clock=clock, transport=Wire(server), jitter=middle)
    assert not Directory(tmp_path).is_new
