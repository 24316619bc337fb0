"""The password of pki.db: set, changed, deleted, wrong; killed at every step; under load (SET-26 to SET-29, 45, 46)."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor, ActorKind
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from console.servers.models import Server
from hsm.device import envelopes, rewrap, storefile
from hsm.device.base import KeySpec
from hsm.device.envelopes import PasswordOpener
from hsm.device.errors import DeviceError, StoreLockedError
from hsm.device.local import LocalStore
from hsm.device.storefile import StoreFile
from keys import keystore, pkidb_password, protection
from keys.keystore import PASSWORD_SETTING, open_local_store
from keys.models.keystore import KeyStore
from keys.signing import is_valid, sign, spki_of
from settings_store import store as rows
from settings_store.catalogue import Scope, ValueType
from settings_store.models import FormerValue, Setting
from tests.fixtures.killing import lives

ADMIN = Actor(ActorKind.USER, "ada", "1")
KEYS = 8
RunJobs = Callable[..., list[Job]]


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(envelopes, "SCRYPT_N", 2)
    monkeypatch.setattr(rewrap, "BATCH", 3)  # so that the keys take more than one step
    keystore._slot_keys.clear()
    yield
    keystore._slot_keys.clear()


@pytest.fixture
def key_ids(server: Server) -> list[bytes]:
    """Make a store with keys, wrapped by the sealing key."""
    found = [secrets.token_bytes(16) for _ in range(KEYS)]
    with open_local_store() as store:
        for key_id in found:
            store.device().generate_key_pair(key_id, KeySpec.EC_P256, "key")
    return found


def enter(password: str) -> None:
    """Do what the Advanced Settings page does: add the setting, or change it."""
    row = rows.find(PASSWORD_SETTING, Scope.LOCAL)
    if row is None:
        rows.add(PASSWORD_SETTING, password, scope=Scope.LOCAL, value_type=ValueType.PROTECTED, actor=ADMIN)
    else:
        rows.change(PASSWORD_SETTING, password, scope=Scope.LOCAL, seen=row.token, actor=ADMIN)


def delete() -> None:
    rows.delete([f"Local:{PASSWORD_SETTING}"], actor=ADMIN)


def bring_about() -> None:
    """Do the job's work."""
    pkidb_password.bring_about(actor=ADMIN, progress=lambda *_: None)


def opens(settings: Settings, password: str) -> bool:
    """Try the file alone, without the settings."""
    store = LocalStore(settings.PKI_DATABASE, list)
    return store.opens_with(PasswordOpener(Secret(password)))


def assert_signs(key_ids: list[bytes], spkis: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """Sign with every key through the one door; the keys are those they were."""
    found = {}
    with open_local_store() as store:
        for key_id in key_ids:
            key = store.private_key(key_id)
            assert is_valid(sign(b"data", key), b"data", key.public_key())
            found[key_id] = spki_of(key.public_key())
    assert spkis is None or found == spkis
    return found


def ended(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.state, job.error_code) for job in jobs if job.kind_name == "keys.pki-password"]


@pytest.mark.django_db
def test_add_change_delete(key_ids: list[bytes], run_jobs: RunJobs, settings: Settings, server: Server) -> None:
    """SET-26, SET-28, SET-45, SET-46: old password no longer opens, same keys; each act is in the log once."""
    spkis = assert_signs(key_ids)
    assert protection.state(server).label == "Wrapped by the server's sealing key"

    enter("first password")
    assert protection.state(server).is_changing
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")]
    assert protection.state(server).is_encrypted
    assert opens(settings, "first password")
    assert not LocalStore(settings.PKI_DATABASE, list).opens_with(keystore.sealing_opener())
    assert_signs(key_ids, spkis)

    enter("second password")
    assert_signs(key_ids, spkis)  # before the job, by the former value
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")]
    assert opens(settings, "second password")
    assert not opens(settings, "first password")
    assert_signs(key_ids, spkis)

    delete()
    assert_signs(key_ids, spkis)
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")]
    assert not opens(settings, "second password")
    assert not protection.state(server).is_encrypted
    assert_signs(key_ids, spkis)
    assert not FormerValue.objects.exists()
    acts = Entry.objects.filter(action__startswith="keys.store.").order_by("seq").values_list("action", flat=True)
    assert list(acts) == ["keys.store.password-set", "keys.store.password-changed", "keys.store.password-removed"]


@pytest.mark.django_db
def test_key_bytes_are_not_in_the_file(key_ids: list[bytes], run_jobs: RunJobs, settings: Settings) -> None:
    """SET-26: neither the private numbers nor the old envelopes are readable, in the file or beside it."""
    with open_local_store() as store:
        key = store.private_key(key_ids[0])
    scalar = key.private_numbers().private_value.to_bytes(32)  # type: ignore[union-attr]
    old = settings.PKI_DATABASE.read_bytes()
    envelope = old[old.index(key_ids[0]) :][16:48]
    enter("a password")
    run_jobs()
    left = b"".join(path.read_bytes() for path in settings.PKI_DATABASE.parent.iterdir())
    assert scalar not in left
    assert b"a password" not in left
    assert envelope not in left


@pytest.mark.django_db
def test_a_password_that_does_not_open(
    key_ids: list[bytes], run_jobs: RunJobs, settings: Settings, server: Server
) -> None:
    """A file from elsewhere: a clear error asks for its password, nothing is re-wrapped, the right one works."""
    spkis = assert_signs(key_ids)
    enter("the right one")
    run_jobs()
    Setting.objects.all().delete()  # as after a database that was restored from before
    KeyStore.objects.update(protection="sealing", password_version="")
    keystore._slot_keys.clear()
    before = settings.PKI_DATABASE.read_bytes()

    enter("a wrong one")
    (job,) = run_jobs()
    assert (job.state, job.error_code) == (State.FAILED, "STORE_LOCKED")
    assert "does not open pki.db" in job.message
    assert "Enter the password that opens pki.db" in job.next_step
    assert settings.PKI_DATABASE.read_bytes() == before
    assert "does not open" in protection.state(server).problem
    with open_local_store() as store, pytest.raises(StoreLockedError):
        store.private_key(key_ids[0])

    enter("the right one")
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")]
    assert protection.state(server).problem == ""
    assert_signs(key_ids, spkis)


@pytest.mark.django_db
def test_a_lost_password(key_ids: list[bytes], run_jobs: RunJobs) -> None:
    """Deleted behind the console's back: the error says what is missing."""
    enter("the right one")
    run_jobs()
    Setting.objects.all().delete()
    keystore._slot_keys.clear()
    with pytest.raises(pkidb_password.WrongPasswordError) as caught:
        bring_about()
    assert "Without PKIDatabasePassword" in caught.value.message


@pytest.mark.django_db
def test_two_changes_before_the_first_job_runs(key_ids: list[bytes], run_jobs: RunJobs, settings: Settings) -> None:
    """The job brings about what is set when it runs; the second one finds nothing to do."""
    spkis = assert_signs(key_ids)
    for password in ("one", "two", "three"):
        enter(password)
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")] * 3
    assert opens(settings, "three")
    assert Entry.objects.filter(action__startswith="keys.store.").count() == 1
    assert_signs(key_ids, spkis)


@pytest.mark.django_db
@pytest.mark.parametrize("steps", range(7))
@pytest.mark.parametrize("then", ["two", "one", None])
def test_the_setting_changes_in_the_middle(
    key_ids: list[bytes], run_jobs: RunJobs, settings: Settings, steps: int, then: str | None
) -> None:
    """However far a change to “two” had come: what is set last holds in the end, and nothing is lost meanwhile."""
    spkis = assert_signs(key_ids)
    enter("one")
    run_jobs()
    enter("two")
    with stopping_after(steps), pytest.raises(Stopped) if steps < 6 else no_error():
        bring_about()
    assert_signs(key_ids, spkis)
    delete() if then is None else enter(then)
    assert_signs(key_ids, spkis)
    assert {state for state, _ in ended(run_jobs())} == {State.SUCCEEDED}
    keystore._slot_keys.clear()
    for password in ("one", "two"):
        assert opens(settings, password) == (password == then)
    assert_signs(key_ids, spkis)


class Stopped(Exception):  # noqa: N818
    """Stands for a worker that ends here."""


@contextmanager
def no_error() -> Iterator[None]:
    yield


@contextmanager
def stopping_after(steps: int) -> Iterator[None]:
    """Let a change do so many steps, then stop it."""
    real, left = rewrap.advance, iter(range(steps))

    def advance(*args: object) -> None:
        if next(left, None) is None:
            raise Stopped
        real(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrap, "advance", advance)
        yield


@pytest.mark.django_db
def test_only_one_job_at_a_time(key_ids: list[bytes], run_jobs: RunJobs) -> None:
    enter("one")
    with keystore.exclusive():
        (job,) = run_jobs()
    assert job.state == State.SCHEDULED  # tried again in a moment
    assert "Another job" in job.message


@pytest.mark.django_db
def test_what_could_not_be_cleared_is_cleared_by_the_next_attempt(
    key_ids: list[bytes], run_jobs: RunJobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter("one")
    monkeypatch.setattr(storefile, "PURGE_S", 0.1)
    monkeypatch.setattr(storefile, "PATIENCE_S", 0.0)
    with open_local_store() as store, store._file.reading() as reader:
        (old,) = reader.execute("SELECT wrapped FROM wrap").fetchone()
        (job,) = run_jobs()
        assert (job.state, job.error_code) == (State.SCHEDULED, "STORE_NOT_CLEARED")
        on_disk = b"".join(file.read_bytes() for file in settings.PKI_DATABASE.parent.glob("pki.db*"))
        assert old in on_disk
    purged: list[object] = []
    real = StoreFile.purge
    monkeypatch.setattr(StoreFile, "purge", lambda file: purged.append(real(file)))
    queue.run_now(job, actor=ADMIN)
    assert ended(run_jobs()) == [(State.SUCCEEDED, "")]
    assert purged == [None]
    assert opens(settings, "one")


@pytest.mark.django_db
def test_a_file_that_is_gone_is_not_made_again(key_ids: list[bytes], settings: Settings) -> None:
    settings.PKI_DATABASE.unlink()
    with open_local_store() as store, pytest.raises(DeviceError) as caught:
        store.private_key(key_ids[0])
    assert caught.value.code == "STORE_MISSING"
    assert not settings.PKI_DATABASE.exists()


# Killed by SIGKILL, in a process of its own, before and after every call that changes something.

# The platform database has the same part in all three changes: one of them asks both.
ONE = pytest.mark.one_database
CHANGING = (
    (rewrap, "begin"),
    (rewrap, "advance"),
    (rewrap, "_add_second_slot"),
    (rewrap, "_encrypt_batch_again"),
    (rewrap, "_promote"),
    (rewrap, "_remove_old"),
    (StoreFile, "purge"),
    (pkidb_password, "_record"),
    (rows, "forget_former"),
    (transaction, "atomic"),
)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [pytest.param("set", marks=ONE), "change", pytest.param("delete", marks=ONE)])
def test_killed_at_every_step(key_ids: list[bytes], settings: Settings, change: str) -> None:
    """Walkthrough step 8: after each kill every key signs, and the next attempt ends as the first one would have."""
    spkis = assert_signs(key_ids)
    here = "start"
    if change != "set":
        enter(here)
        bring_about()
    for event in range(1, 200):
        target = f"password {event}"
        if change == "set" and event > 1:
            delete()
            bring_about()
        if change == "delete":
            if event > 1:
                enter(here)
                bring_about()
            delete()
        else:
            enter(target)
        finished = lives(bring_about, CHANGING, event)
        keystore._slot_keys.clear()
        assert_signs(key_ids, spkis)
        bring_about()
        keystore._slot_keys.clear()
        assert_signs(key_ids, spkis)
        assert opens(settings, target) == (change != "delete")
        assert not opens(settings, here if change == "delete" else f"password {event - 1}")
        assert LocalStore(settings.PKI_DATABASE, list).state().change is None
        assert not FormerValue.objects.exists()
        if finished:
            assert event > 15, "nearly nothing was counted"
            return
    raise AssertionError("The change never came to its end.")


@pytest.mark.django_db(transaction=True)
def test_signing_goes_on_under_load(key_ids: list[bytes]) -> None:
    """Walkthrough step 8: three signers at once while the password is set, changed five times and deleted."""
    spkis, stop, failures, signatures = assert_signs(key_ids), threading.Event(), [], []

    def load() -> None:
        try:
            while not stop.is_set():
                assert_signs(key_ids[:5], {key_id: spkis[key_id] for key_id in key_ids[:5]})
                signatures.append(5)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test fails
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for change in [*(f"password {n}" for n in range(6)), None]:
        delete() if change is None else enter(change)
        bring_about()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(signatures) > 0
    assert_signs(key_ids, spkis)


def test_sealing_key_and_password_files_are_private(key_ids: list[bytes], settings: Settings) -> None:
    assert worker_pair().public
    for path in Path(settings.PKI_DATABASE.parent).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.django_db
def test_the_state_shows_beside_the_setting_and_in_the_workflow(
    key_ids: list[bytes], run_jobs: RunJobs, server: Server, admin_client: Client
) -> None:
    """SET-27, SET-45, KEY-32: for each server, what protects pki.db now."""
    other = Server.objects.create(fqdn="ts2.example.com", sealing_public="", created_at=clock.now())
    enter("a password")
    edit, workflow = reverse("settings_store:edit", args=[f"Local:{PASSWORD_SETTING}"]), reverse("keys:workflow")
    before = admin_client.get(edit).content.decode()
    assert f"pki.db of {server.fqdn}: wrapped by the server&#x27;s sealing key." in before
    assert "A change is under way" in before
    assert f"pki.db of {other.fqdn}: not made yet." in before
    assert "sealing key" in admin_client.get(workflow).content.decode()
    run_jobs()
    after = admin_client.get(edit).content.decode()
    assert f"pki.db of {server.fqdn}: encrypted by PKIDatabasePassword." in after
    assert "A change is under way" not in after
    assert f"pki.db of {server.fqdn}: encrypted by PKIDatabasePassword." in admin_client.get(workflow).content.decode()
