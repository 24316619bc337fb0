"""The state folder: who may read it, what is made once, who holds it."""

import os
import stat
from pathlib import Path

import pytest

from console.supervisor import naming
from console.supervisor import state as state_module
from console.supervisor.errors import SupervisorError
from console.supervisor.state import State, write_private


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("KEYSTEAD_STATE_DIR", str(tmp_path / "var"))
    return State.from_environment()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_for_the_owner_whatever_they_were(state: State) -> None:
    state.secrets.chmod(0o755)
    State.from_environment()
    assert {_mode(path) for path in (state.root, *state.root.iterdir())} == {0o700}


def test_a_secret_is_made_once(state: State) -> None:
    first = state.secret_once("one")
    assert len(first) >= 64
    assert state.secret_once("one") == first != state.secret_once("two")
    assert _mode(state.secrets / "one") == 0o600


def test_an_open_umask_opens_no_secret(state: State) -> None:
    former = os.umask(0)
    try:
        state.secret_once("one")
    finally:
        os.umask(former)
    assert _mode(state.secrets / "one") == 0o600
    assert [path.name for path in state.secrets.iterdir()] == ["one"]


def test_a_file_is_replaced_whole(state: State) -> None:
    write_private(state.secrets / "file", "long and longer")
    write_private(state.secrets / "file", "short")
    assert (state.secrets / "file").read_text() == "short"
    with pytest.raises(FileExistsError):
        write_private(state.secrets / "file", "other", exclusive=True)


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '"text"', "\0"])
def test_what_is_remembered_survives_damage(state: State, damaged: str) -> None:
    (state.running / "ports.json").write_text(damaged)
    assert state.recall("ports") == {}


def test_one_supervisor_at_a_time(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    held = state.take()
    state.remember("last", {"pid": os.getpid(), "address": "http://localhost:8000"})
    with pytest.raises(SupervisorError, match="http://localhost:8000"):
        state.take()
    # The holder is dead but its guard still works: that is waited for, not for ever.
    state.remember("last", {"pid": 2**22 + 1})
    monkeypatch.setattr(state_module, "TAKE_OVER_S", 0.2)
    with pytest.raises(SupervisorError):
        state.take()
    os.close(held)
    os.close(state.take())


def test_the_servers_name_is_settled_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEYSTEAD_SERVER_NAME", raising=False)
    monkeypatch.setattr("socket.getfqdn", lambda: "localhost.localdomain")
    monkeypatch.setattr("socket.gethostname", lambda: "Bench7")
    assert naming.server_name(state) == "bench7.localdomain"
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    assert naming.server_name(state) == "bench7.localdomain"
    monkeypatch.setenv("KEYSTEAD_SERVER_NAME", "TS1.example.com.")
    assert naming.server_name(state) == "ts1.example.com"
