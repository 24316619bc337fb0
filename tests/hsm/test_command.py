"""`manage.py hsm` as a script uses it: exit status, JSON, and no secret in it."""

import json
from collections.abc import Callable

import pytest
from django.core.management import call_command

from console.jobs.models import Job, State
from hsm import scripting
from hsm.models.groups import Connection, Group
from tests.fixtures.groups import add_connection, by_module
from tests.fixtures.softhsm import SoftHsm, Token


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch, run_jobs: Callable[..., list[Job]]) -> None:
    """Work while the command waits."""
    monkeypatch.setattr(scripting, "sleep", lambda _seconds: run_jobs())


def status(*arguments: str) -> int:
    """Return the exit status of the command."""
    try:
        call_command("hsm", *arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_list_and_health_say_what_was_seen_last(
    module_group: Callable[..., Group], software_group: Group, token: Token, capsys: pytest.CaptureFixture[str]
) -> None:
    module_group(token)
    assert status("list") == 0
    said = capsys.readouterr().out
    assert "Payroll: software group, 0 keys" in said
    assert "Luna production: Not tested yet" in said
    assert status("health") == 1
    assert status("health", "Payroll") == 0


def test_test_waits_for_the_worker(
    module_group: Callable[..., Group], token: Token, softhsm: SoftHsm, capsys: pytest.CaptureFixture[str]
) -> None:
    group = module_group(token)
    assert status("test", "Luna production", "--json") == 0
    said = capsys.readouterr().out
    (found,) = json.loads(said)
    assert (found["title"], found["state"]) == ("Luna production", "Connected")
    assert token.pin not in said
    add_connection(group, by_module(softhsm.token("other"), pin="0000"))
    assert status("test", str(group.pk)) == 1
    assert "CKR_PIN_INCORRECT" in capsys.readouterr().out
    assert status("health", "Luna production") == 0  # the first one serves


def test_what_cannot_be_found_out_is_2(
    module_group: Callable[..., Group],
    token: Token,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = module_group(token)
    assert status("test", "none such") == 2
    assert "has no group “none such”" in capsys.readouterr().err
    monkeypatch.setattr(scripting, "sleep", lambda _seconds: None)
    assert status("test", group.title, "--wait", "0") == 2
    assert "goes on without being waited for" in capsys.readouterr().err


def test_sync_ends_with_the_job(
    module_group: Callable[..., Group], token: Token, capsys: pytest.CaptureFixture[str]
) -> None:
    group = module_group(token)
    assert status("sync", group.title) == 0
    assert "0 new keys" in capsys.readouterr().out
    Connection.objects.update(slot="", label="", serial="")
    assert status("sync", group.title, "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["state"] == State.FAILED
