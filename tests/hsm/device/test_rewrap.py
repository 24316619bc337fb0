"""Setting, changing and deleting the password of pki.db, with the worker killed wherever it hurts."""

import itertools
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hsm.device import envelopes, rewrap, storefile
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.envelopes import Opener, PasswordOpener, SealingOpener
from hsm.device.errors import KeyExistsError, StoreError, StoreLockedError
from hsm.device.local import LocalStore
from hsm.device.rewrap import ChangeStep

SEALING = SealingOpener(lambda: Pin(b"s" * 32))
OLD, NEW, THIRD = PasswordOpener(Pin("old")), PasswordOpener(Pin("new")), PasswordOpener(Pin("third"))
CHANGES: dict[str, tuple[Opener, Opener]] = {"set": (SEALING, NEW), "change": (OLD, NEW), "delete": (OLD, SEALING)}
KEYS = [number.to_bytes(16) for number in range(5)]
DIGEST = bytes(32)
READING = ("SELECT", "PRAGMA secure", "PRAGMA sync", "PRAGMA foreign", "PRAGMA trusted", "BEGIN", "ROLLBACK", "--")


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test the order of steps, not the price of guessing."""
    monkeypatch.setattr(envelopes, "SCRYPT_N", 2**4)
    monkeypatch.setattr(rewrap, "BATCH", 2)


def filled(path: Path, opener: Opener) -> LocalStore:
    store = LocalStore.create(path, opener)
    for key_id in KEYS:
        store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
    return store


def opening_with(path: Path, *openers: Opener) -> LocalStore:
    return LocalStore(path, lambda: openers)


def all_keys_sign(path: Path, opener: Opener) -> bool:
    device = opening_with(path, opener).device()
    return all(device.sign(key_id, DIGEST, SignatureScheme.ECDSA_SHA256) for key_id in KEYS)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_step_by_step(path: Path, kind: str) -> None:
    old, new = CHANGES[kind]
    store = filled(path, old)
    fingerprints = [record.spki_der for record in store.records()]
    store.begin_change(new.kind)
    seen = [store.state()]
    assert not store.opens_with(new)
    while seen[-1].change is not None:
        seen.append(store.step(new))
        promoted = seen[-1].change in (ChangeStep.PROMOTED, None)
        assert store.opens_with(new)
        assert store.opens_with(old) is not promoted
        assert all_keys_sign(path, new)
    steps = [state.change for state in seen]
    assert steps == [ChangeStep.PENDING, *[ChangeStep.SECOND_SLOT] * 4, ChangeStep.PROMOTED, None]
    assert [state.done for state in seen] == [5, 0, 2, 4, 5, 5, 5]
    assert store.state().opens_with is new.kind
    assert [record.spki_der for record in store.records()] == fingerprints


def test_nothing_of_the_old_secret_is_left(path: Path) -> None:
    store = filled(path, OLD)
    with store._file.reading() as database:
        old = [row[0] for row in database.execute("SELECT wrapped FROM wrap UNION ALL SELECT envelope FROM envelope")]
    store.begin_change(NEW.kind)
    store.finish(NEW)
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert len(old) == 1 + len(KEYS)
    assert not any(blob[at : at + 16] in on_disk for blob in old for at in range(0, len(blob) - 16, 16))
    with store._file.reading() as database:
        counts = database.execute(
            "SELECT (SELECT count(*) FROM slot), (SELECT count(*) FROM data_key), (SELECT count(*) FROM wrap)"
        ).fetchone()
    assert counts == (1, 1, 1)


@pytest.mark.parametrize(
    "kind", ["change", pytest.param("set", marks=pytest.mark.slow), pytest.param("delete", marks=pytest.mark.slow)]
)
def test_killed_at_every_writing_statement(path: Path, kind: str) -> None:
    """A child does the change and is killed at its n-th writing statement, for every n; another one goes on."""
    old, new = CHANGES[kind]
    template = path.with_name("template.db")
    filled(template, old)
    for statement in range(1, 1000):
        shutil.copyfile(template, path)
        path.chmod(0o600)
        survived = in_a_child(lambda: change(opening_with(path, old), new), kill_at=statement)
        after = opening_with(path, old, new)
        assert after.opens_with(old) or after.opens_with(new)
        if after.state().change not in (ChangeStep.PROMOTED, None):
            assert after.opens_with(old)
        assert all(after.device().sign(key_id, DIGEST, SignatureScheme.ECDSA_SHA256) for key_id in KEYS)
        change(after, new)
        assert all_keys_sign(path, new)
        assert not after.opens_with(old)
        if survived:
            break
        for leftover in path.parent.glob("pki.db*"):
            leftover.unlink()
    assert survived
    assert statement > 15


def change(store: LocalStore, new: Opener) -> None:
    """Do as the job does: begin unless the change has begun or is done, then go on to the end."""
    if store.state().change is None and not (store.opens_with(new)):
        store.begin_change(new.kind)
    store.finish(new)


def in_a_child(act: Callable[[], None], *, kill_at: int) -> bool:
    """Run `act` in a forked child that sends itself SIGKILL at a statement; tell whether it came to its end."""
    child = os.fork()
    if child == 0:
        left = itertools.count(kill_at - 1, -1)
        connect = storefile._connect

        def connecting(path: Path) -> sqlite3.Connection:
            database = connect(path)
            database.set_trace_callback(traced)
            return database

        def traced(sql: str) -> None:
            if not sql.startswith(READING) and next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            storefile._connect = connecting
            act()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


# Other things that happen during a change


def test_keys_made_during_a_change_are_carried_over(path: Path) -> None:
    store = filled(path, OLD)
    store.begin_change(NEW.kind)
    store.step(NEW)
    other = opening_with(path, OLD)
    made = b"m" * 16
    other.device().generate_key_pair(made, KeySpec.EC_P256, "k")
    store.finish(NEW)
    assert opening_with(path, NEW).device().sign(made, DIGEST, SignatureScheme.ECDSA_SHA256)


def test_a_store_that_was_open_before_a_change_does_not_write_under_the_old_key(path: Path) -> None:
    store, stale = filled(path, OLD), opening_with(path, OLD)
    stale.device().sign(KEYS[0], DIGEST, SignatureScheme.ECDSA_SHA256)
    store.begin_change(NEW.kind)
    store.finish(NEW)
    with pytest.raises(StoreLockedError):
        stale.device().generate_key_pair(b"m" * 16, KeySpec.EC_P256, "k")
    assert all_keys_sign(path, NEW)


def test_a_second_change_waits_for_the_first(path: Path) -> None:
    store = filled(path, OLD)
    store.begin_change(NEW.kind)
    with pytest.raises(StoreError) as caught:
        store.begin_change(THIRD.kind)
    assert caught.value.code == "STORE_CHANGE"


def test_a_step_with_another_kind_of_secret_is_refused(path: Path) -> None:
    store = filled(path, OLD)
    store.begin_change(SEALING.kind)
    with pytest.raises(StoreError) as caught:
        store.step(NEW)
    assert caught.value.code == "STORE_CHANGE"
    assert store.state().change is ChangeStep.PENDING


def test_a_change_goes_on_with_the_new_secret_alone(path: Path) -> None:
    store = filled(path, OLD)
    store.begin_change(NEW.kind)
    store.step(NEW)
    opening_with(path).finish(NEW)
    assert all_keys_sign(path, NEW)


def test_a_change_cannot_begin_without_the_old_secret(path: Path) -> None:
    filled(path, OLD)
    with pytest.raises(StoreLockedError):
        opening_with(path, NEW).begin_change(NEW.kind)
    assert opening_with(path).state().change is None


def test_a_change_is_given_up_before_promotion_only(path: Path) -> None:
    store = filled(path, OLD)
    for steps in range(4):
        store.begin_change(NEW.kind)
        for _ in range(steps):
            store.step(NEW)
        store.abandon_change()
        assert store.state().change is None
        assert not store.opens_with(NEW)
        assert all_keys_sign(path, OLD)
    store.begin_change(THIRD.kind)
    while store.state().change is not ChangeStep.PROMOTED:
        store.step(THIRD)
    with pytest.raises(StoreError):
        store.abandon_change()
    store.finish(THIRD)
    assert all_keys_sign(path, THIRD)
    assert store.state().total == len(KEYS)


ACTS = st.lists(st.sampled_from(["make", "destroy", "begin", "step", "abandon", "finish"]), max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_any_order_of_acts_keeps_every_key(path: Path, acts: list[str]) -> None:
    path = path.with_name(f"{uuid4()}.db")
    current, following, kept, fresh = iter_secrets()
    store = LocalStore.create(path, current)
    for number, act in enumerate(acts):
        changing = store.state().change
        openers = [current] if following is None else [current, following]
        store = opening_with(path, *openers)
        if act == "make":
            key_id = number.to_bytes(16)
            store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
            with pytest.raises(KeyExistsError):
                store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
            kept.add(key_id)
        elif act == "destroy" and kept:
            store.device().destroy(kept.pop())
        elif act == "begin" and changing is None:
            following = next(fresh)
            store.begin_change(following.kind)
        elif act in ("step", "finish") and following is not None:
            store.step(following) if act == "step" else store.finish(following)
            if store.state().change is None:
                current, following = following, None
        elif act == "abandon" and following is not None and changing is not ChangeStep.PROMOTED:
            store.abandon_change()
            following = None
        assert {record.key_id for record in store.records()} == kept
        for key_id in kept:
            assert store.device().sign(key_id, DIGEST, SignatureScheme.ECDSA_SHA256)


def iter_secrets() -> tuple[Opener, Opener | None, set[bytes], Iterator[Opener]]:
    """Return a first secret, no second one, no keys, and as many further secrets as wanted."""
    fresh: Iterator[Opener] = (
        PasswordOpener(Pin(f"password {number}")) if number % 3 else SealingOpener(lambda: Pin(b"x" * 32))
        for number in range(10**6)
    )
    return next(fresh), None, set(), fresh
