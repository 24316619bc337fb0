"""What the processes of a local run are told."""

from pathlib import Path

import pytest

from console.supervisor.commands import Run, environment
from console.supervisor.state import State

PORTS = {"web": 18000, "broker": 18001}


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ({"listener": 18002, "listener-plain": 18003}, ("18002", "18003")),
        ({}, (None, None)),  # remembered from a version without listeners
    ],
)
def test_the_ports_of_the_listeners_are_told_to_who_writes_them_into_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: dict[str, int], told: tuple[str | None, str | None]
) -> None:
    for name in ("KEYSTEAD_LISTENER_PORT", "KEYSTEAD_LISTENER_PLAIN_PORT", "KEYSTEAD_BIND"):
        monkeypatch.delenv(name, raising=False)
    variables = environment(Run(State(tmp_path), PORTS | ports))
    assert (variables.get("KEYSTEAD_LISTENER_PORT"), variables.get("KEYSTEAD_LISTENER_PLAIN_PORT")) == told
