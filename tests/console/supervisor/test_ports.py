"""Ports are free when they are chosen, and stay the same."""

import socket
from pathlib import Path

import pytest

from console.supervisor import ports
from console.supervisor.errors import SupervisorError
from console.supervisor.state import State


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("KEYSTEAD_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("KEYSTEAD_PORT", raising=False)
    return State.from_environment()


def _taken() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_they_are_remembered(state: State) -> None:
    chosen = ports.choose(state)
    assert len(set(chosen.values())) == len(chosen) == 7
    assert ports.choose(state) == chosen == ports.remembered(state)


def test_a_port_that_is_taken_by_now_is_replaced(state: State) -> None:
    with _taken() as listener:
        port = listener.getsockname()[1]
        state.remember("ports", {"web": port, "broker": port})
        assert port not in ports.choose(state).values()


@pytest.mark.parametrize("name", ports.FIRST_CHOICES)
def test_a_named_port_is_not_given_to_another(state: State, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: True)
    monkeypatch.setenv("KEYSTEAD_PORT", str(ports.FIRST_CHOICES[name]))
    chosen = ports.choose(state)
    assert chosen["web"] == ports.FIRST_CHOICES[name]
    assert len(set(chosen.values())) == len(chosen)


def test_the_named_port_decides(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.choose(state)["broker"]
    monkeypatch.setenv("KEYSTEAD_PORT", str(free))
    chosen = ports.choose(state)
    assert chosen["web"] == free
    assert chosen["broker"] != free


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1", "8000 "])
def test_a_name_that_is_no_port_is_refused(state: State, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("KEYSTEAD_PORT", value)
    with pytest.raises(SupervisorError, match="KEYSTEAD_PORT"):
        ports.choose(state)


def test_a_named_port_that_is_taken_is_refused(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with _taken() as listener:
        monkeypatch.setenv("KEYSTEAD_PORT", str(listener.getsockname()[1]))
        with pytest.raises(SupervisorError, match="taken"):
            ports.choose(state)
