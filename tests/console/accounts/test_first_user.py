"""The first Administrator, and the way back in."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from console.accounts import first_user
from console.accounts.models import User
from console.activity.models import Entry
from console.lib.actor import Actor
from console.lib.errors import ConflictError

SETUP = Actor.system("setup")


def test_the_first_user_is_an_administrator_with_a_one_time_password(db: None) -> None:
    user, password = first_user.create(actor=SETUP)
    assert user.is_administrator
    assert user.must_change_password
    assert user.check_password(password.reveal_text())
    assert not Entry.objects.filter(details__contains=password.reveal_text()).exists()


def test_there_is_only_one_first_user(admin: User) -> None:
    with pytest.raises(ConflictError):
        first_user.create(actor=SETUP)


def test_one_time_passwords_differ() -> None:
    assert len({first_user.one_time_password().reveal_text() for _ in range(50)}) == 50


def test_the_command_writes_a_file_that_only_its_owner_reads(admin: User, var_dir: Path) -> None:
    out = StringIO()
    call_command("first_password", "ALICE", stdout=out)
    path = var_dir / "secrets/first-password"
    admin.refresh_from_db()
    assert path.stat().st_mode & 0o777 == 0o600
    assert admin.check_password(path.read_text().strip())
    assert admin.must_change_password
    assert path.read_text().strip() not in out.getvalue()


def test_the_command_names_nobody_it_does_not_know(db: None, var_dir: Path) -> None:
    with pytest.raises(CommandError, match="no such user"):
        call_command("first_password", "nobody")
