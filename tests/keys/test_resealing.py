"""A new sealing key: everything opens with it and nothing with the old one, also after a kill at any step."""

import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import models, transaction
from pytest_django import Settings

from console.activity.models import Entry
from console.jobs import locks
from console.jobs.models import Job, State
from console.lib.actor import Actor
from console.lib.opening import worker_pair
from console.lib.sealingpair import SealingPair
from console.lib.secret import Secret
from console.servers.current import sealing_public
from console.servers.models import Server
from hsm.device import envelopes, rewrap
from hsm.device.base import KeySpec
from keys import keystore, pkidb_password, resealing
from keys.backup import asking
from keys.keystore import open_local_store
from keys.models.backup import Backup
from settings_store import store, values
from settings_store.catalogue import Scope, ValueType
from settings_store.opening import reveal
from tests.fixtures.killing import lives
from tests.keys.conftest import ALICE
from trust.models.initfiles import InitFile

PASSPHRASE = Secret("correct horse battery staple")
PIN = "Keys.Root.HSMPassword"


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "SCRYPT_N", 2)
    keystore._slot_keys.clear()


@pytest.fixture
def key_id(server: Server) -> bytes:
    """Make one key, one protected setting, and a backup that waits with its passphrase."""
    found = secrets.token_bytes(16)
    with open_local_store() as local:
        local.device().generate_key_pair(found, KeySpec.EC_P256, "key")
    store.add(PIN, "4711", scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ALICE)
    asking.request("manual", PASSPHRASE, actor=ALICE)
    return found


def restart() -> None:
    """Forget what a process has read, as the next one would."""
    worker_pair.cache_clear()
    keystore._slot_keys.clear()


def assert_all_opens(key_id: bytes) -> None:
    restart()
    value = values.sealed(PIN)
    assert value
    assert reveal(value).reveal_text() == "4711"
    backup = Backup.objects.get()
    opened = worker_pair().open(bytes(backup.sealed_passphrase or b""), purpose=asking.PURPOSE, row_id=str(backup.pk))
    assert opened == PASSPHRASE
    with open_local_store() as local:
        assert local.private_key(key_id)
        assert local.state().change is None
    assert sealing_public() == worker_pair().public


@pytest.mark.django_db
def test_everything_opens_with_the_new_key_only(key_id: bytes, settings: Settings, server: Server) -> None:
    old = SealingPair.load(settings.SEALING_KEY_FILE)
    call_command("sealing", "rotate")
    assert_all_opens(key_id)
    new = SealingPair.load(settings.SEALING_KEY_FILE)
    assert new.public != old.public
    value = values.sealed(PIN)
    assert value
    with pytest.raises(Exception, match="does not open"):
        old.open(value.sealed, purpose="setting", row_id=str(value.setting_id))
    with open_local_store() as local:
        assert not local.opens_with(envelopes.SealingOpener(lambda: old.derive("pki.db")))
    left = sorted(path.name for path in settings.SEALING_KEY_FILE.parent.iterdir())
    assert left == ["listener.key", "listener.pub", "sealing.key", "sealing.pub"]
    assert settings.SEALING_KEY_FILE.stat().st_mode & 0o777 == 0o600
    assert Entry.objects.filter(action="keys.sealing.rotated", subject_id=str(server.pk)).count() == 1


@pytest.mark.django_db
def test_with_a_password_pki_db_is_not_touched(key_id: bytes, settings: Settings) -> None:
    store.add("PKIDatabasePassword", "a password", scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ALICE)
    pkidb_password.bring_about(actor=ALICE, progress=lambda *_: None)
    before = settings.PKI_DATABASE.read_bytes()
    resealing.rotate(actor=ALICE)
    assert settings.PKI_DATABASE.read_bytes() == before
    assert_all_opens(key_id)


@pytest.mark.django_db
def test_refused_while_the_console_works(key_id: bytes) -> None:
    Job.objects.update(state=State.RUNNING, attempts=1)
    with pytest.raises(CommandError, match="A job is running"):
        call_command("sealing", "rotate")
    for job in Job.objects.all():  # the console was stopped meanwhile, and they were cut off
        with pytest.raises(KeyboardInterrupt), locks.held(locks.Attempt(job.pk, 1)):
            raise KeyboardInterrupt
    old = worker_pair().public
    resealing.rotate(actor=ALICE)
    restart()
    assert old != sealing_public() == worker_pair().public


@pytest.mark.django_db
def test_refused_while_the_password_changes(key_id: bytes) -> None:
    store.add("PKIDatabasePassword", "a password", scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ALICE)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(rewrap, "advance", lambda *_: 1 / 0)
        pkidb_password.bring_about(actor=ALICE, progress=lambda *_: None)
    with pytest.raises(CommandError, match="is being changed"):
        call_command("sealing", "rotate")
    pkidb_password.bring_about(actor=ALICE, progress=lambda *_: None)
    call_command("sealing", "rotate")
    assert_all_opens(key_id)


def test_every_sealed_column_is_sealed_again() -> None:
    """A new column of this kind must not be forgotten."""
    known = {(sealed.model, sealed.column) for sealed in resealing.SEALED}
    found = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.fields
        if isinstance(field, models.BinaryField) and field.name.startswith("sealed")
    }
    # An init file is sealed for the one browser that asked for it, and waits for minutes.
    assert found - {(InitFile, "sealed")} == known


STEPS: tuple[tuple[Any, str], ...] = (
    (rewrap, "begin"),
    (rewrap, "advance"),
    (rewrap, "_promote"),
    (rewrap, "_remove_old"),
    (resealing, "_next_pair"),
    (resealing, "_seal_rows"),
    (resealing, "_take_place"),
    (resealing, "mend"),
    (SealingPair, "save"),
    (Path, "replace"),
    (transaction, "atomic"),
    (os, "fsync"),
)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_at_every_step(key_id: bytes, settings: Settings) -> None:
    """The second run ends what the first began, and no secret is lost."""
    for event in range(1, 200):
        before = settings.SEALING_KEY_FILE.read_bytes()
        restart()
        finished = lives(lambda: resealing.rotate(actor=Actor.system("sealing")), STEPS, event)
        restart()
        if finished:
            assert event > 20, "nearly nothing was counted"
            assert_all_opens(key_id)
            return
        resealing.rotate(actor=Actor.system("sealing"))
        assert_all_opens(key_id)
        assert settings.SEALING_KEY_FILE.read_bytes() != before
        assert not resealing.is_interrupted()
    raise AssertionError("The replacement never came to its end.")


@pytest.mark.django_db
def test_a_password_set_after_an_interrupted_replacement(key_id: bytes) -> None:
    """The job waits for the command to be run again, and touches nothing."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(resealing, "_seal_rows", lambda *_, **__: 1 / 0)
        resealing.rotate(actor=ALICE)
    restart()
    store.add("PKIDatabasePassword", "a password", scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ALICE)
    with pytest.raises(Exception, match="interrupted"):
        pkidb_password.bring_about(actor=ALICE, progress=lambda *_: None)
    resealing.rotate(actor=ALICE)
    restart()
    pkidb_password.bring_about(actor=ALICE, progress=lambda *_: None)
    assert_all_opens(key_id)
