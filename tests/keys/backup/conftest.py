"""A server with something to lose: roots, subordinates, settings, users, a log that is signed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.accounts.models import User
from console.lib.secret import Secret
from keys import logkey
from keys.backup import asking
from keys.models.backup import Backup
from keys.models.root import Root
from settings_store import store
from settings_store.catalogue import Scope, ValueType
from tests.keys.conftest import ALICE

PASSPHRASE = Secret("correct horse battery staple")


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    from keys.backup import stream

    monkeypatch.setattr(stream.Cost.__init__, "__defaults__", (2**4, 8, 1))


@pytest.fixture
def furnished(make_root: Callable[..., Root], run_jobs: Callable[..., Any], admin: User) -> Root:
    """Make Root 0 with what hangs below it in a pki.db that is encrypted by a password, and sign the log."""
    root = make_root()
    store.add("PKIDatabasePassword", "a password", scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ALICE)
    run_jobs()
    logkey.ensure(root.server)
    logkey.sign_head()
    return root


@pytest.fixture
def back_up(run_jobs: Callable[..., Any]) -> Callable[..., Backup]:
    """Ask for a backup and let the worker make it."""

    def make(label: str = "manual") -> Backup:
        backup = asking.request(label, PASSPHRASE, actor=ALICE)
        run_jobs()
        backup.refresh_from_db()
        return backup

    return make


def archives(folder: Path) -> list[Path]:
    """Return whatever lies in the folder of backups."""
    return sorted(folder.iterdir()) if folder.exists() else []
