"""`manage.py setup`: makes what is missing, changes nothing that is there, and says where the first password is."""

import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from console.accounts import passwords
from console.accounts.models import User
from console.lib import clock
from console.lib import setup as registry
from console.lib.sealingpair import SealingPair
from console.lib.secret import Secret
from console.management.commands.setup import first_password_file, set_up_server, settle_first_password
from console.servers.current import current
from console.servers.models import Server
from tests.fixtures.users import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(var_dir: Path) -> Path:
    return first_password_file()


def _later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    now = clock.now()
    monkeypatch.setattr("console.lib.clock.now", lambda: now + timedelta(**by))


def test_a_new_server_gets_a_sealing_pair_and_a_row(var_dir: Path, settings: Settings) -> None:
    settings.SEALING_KEY_FILE.unlink()
    assert set_up_server() == f"Server {settings.SERVER_NAME} is set up."
    assert stat.S_IMODE(settings.SEALING_KEY_FILE.stat().st_mode) == 0o600
    pair = SealingPair.load(settings.SEALING_KEY_FILE)
    assert current().sealing_public == pair.public.raw.hex()
    assert set_up_server() is None
    assert SealingPair.load(settings.SEALING_KEY_FILE).public == pair.public


def test_a_lost_sealing_key_is_not_replaced(server: object, settings: Settings) -> None:
    settings.SEALING_KEY_FILE.unlink()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("setup", stdout=StringIO())
    assert not settings.SEALING_KEY_FILE.exists()


def test_another_sealing_key_is_refused(server: object, settings: Settings) -> None:
    for path in (settings.SEALING_KEY_FILE, settings.SEALING_PUBLIC_FILE):
        path.unlink()
    SealingPair.generate().save(settings.SEALING_KEY_FILE, settings.SEALING_PUBLIC_FILE)
    with pytest.raises(CommandError, match="not the one"):
        call_command("setup", stdout=StringIO())


def test_a_database_without_its_tables_is_refused_with_the_remedy() -> None:
    MigrationRecorder(connection).record_unapplied("servers", "0001_initial")
    with pytest.raises(CommandError, match=r"nothing was set up\. Run migrate first"):
        call_command("setup", stdout=StringIO())
    assert not Server.objects.exists()


def test_the_first_password_is_in_a_file_only(file: Path) -> None:
    said = settle_first_password(file)
    password = file.read_text().strip()
    assert said
    assert str(file) in said
    assert password not in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    user = User.objects.get(username="admin")
    assert user.check_password(password)
    assert user.must_change_password
    assert user.is_administrator


def test_a_first_password_that_still_works_stays(file: Path) -> None:
    settle_first_password(file)
    before = file.read_text()
    assert settle_first_password(file) is None
    assert file.read_text() == before


def test_a_first_password_that_nobody_used_in_time_is_renewed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_first_password(file)
    before = file.read_text().strip()
    _later(monkeypatch, hours=24, seconds=1)
    assert settle_first_password(file)
    user = User.objects.get(username="admin")
    assert not user.check_password(before)
    assert user.check_password(file.read_text().strip())
    assert not user.is_password_expired(clock.now())


def test_the_file_goes_once_somebody_is_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle_first_password(file)
    passwords.change_own(User.objects.get(username="admin"), Secret(PASSWORD), keep_session="")
    _later(monkeypatch, days=30)
    assert settle_first_password(file) is None
    assert not file.exists()
    assert User.objects.get(username="admin").check_password(PASSWORD)


def test_the_whole_command_repeats_without_a_trace(var_dir: Path, settings: Settings) -> None:
    settings.SEALING_KEY_FILE.unlink()
    first, second = StringIO(), StringIO()
    call_command("setup", stdout=first)
    assert len(first.getvalue().splitlines()) >= 2 + len(registry.steps()) - 1
    call_command("setup", stdout=second)
    assert second.getvalue() == ""


def test_two_steps_of_one_name_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_steps", {})
    registry.register_step("one", lambda: None)
    with pytest.raises(ValueError, match="one"):
        registry.register_step("one", lambda: "other")
