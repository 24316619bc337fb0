"""pki.db: what lies in the file, who may read it, what opens it, and what happens when it cannot be written."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.device import storefile
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.envelopes import PasswordOpener, SealingOpener
from hsm.device.errors import StoreError, StoreLockedError
from hsm.device.local import LocalStore
from hsm.device.process import CODE_ROOT
from tests.hsm.device.waiting import wait_until

SEALING = SealingOpener(lambda: Pin(b"s" * 32))
RIGHT, WRONG = PasswordOpener(Pin("right horse")), PasswordOpener(Pin("wrong horse"))


@pytest.fixture
def store(path: Path) -> LocalStore:
    return LocalStore.create(path, SEALING)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        act()
    assert caught.value.next_step
    return caught.value.code


def content(path: Path) -> bytes:
    """Return everything that lies on the disk for a store, its write-ahead log included."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def private_parts(store: LocalStore, key_id: bytes) -> list[bytes]:
    """Return what only the holder of the private key knows, in the ways it could be written down."""
    key = store.private_key(key_id)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        secrets = [key.private_numbers().private_value]
    else:
        secrets = [key.private_numbers().d, key.private_numbers().p, key.private_numbers().q]
    raw = [secret.to_bytes((secret.bit_length() + 7) // 8) for secret in secrets]
    return [*raw, *(part.hex().encode() for part in raw), *(part[::-1] for part in raw)]


# The file


def test_the_file_is_for_its_owner_only(store: LocalStore, path: Path, key_id: bytes) -> None:
    previous = os.umask(0)
    try:
        store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
        with store._file.reading():
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert modes == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_not_used(store: LocalStore, path: Path, mode: int) -> None:
    path.chmod(mode)
    assert code_of(lambda: list(store.device().list_keys())) == "STORE_UNSAFE"


def test_sqlite_is_set_to_lose_and_to_keep_nothing(store: LocalStore) -> None:
    with store._file.reading() as database:
        settings = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("secure_delete", "synchronous")]
        assert settings == [1, 2]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("spec", [KeySpec.EC_P256, KeySpec.EC_P521, KeySpec.RSA_2048])
def test_no_private_key_is_readable_in_the_file(store: LocalStore, path: Path, key_id: bytes, spec: KeySpec) -> None:
    store.device().generate_key_pair(key_id, spec, "k")
    on_disk = content(path)
    assert not any(part in on_disk for part in private_parts(store, key_id))
    assert not any(key in on_disk for key in store._data_keys.values())


def test_a_destroyed_key_leaves_no_envelope_behind(store: LocalStore, path: Path, key_id: bytes) -> None:
    store.device().generate_key_pair(key_id, KeySpec.RSA_2048, "k")
    with store._file.reading() as database:
        (envelope,) = database.execute("SELECT envelope FROM envelope").fetchone()
    assert envelope[100:140] in content(path)
    store.device().destroy(key_id)
    on_disk = content(path)
    assert not any(envelope[at : at + 16] in on_disk for at in range(0, len(envelope) - 16, 16))


@contextmanager
def a_reader(store: LocalStore) -> Iterator[None]:
    """Keep the store as it is now in view, as a backup does."""
    with store._file.reading() as reader:
        reader.execute("SELECT count(*) FROM envelope").fetchone()
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a purge up soon."""
    monkeypatch.setattr(storefile, "PURGE_S", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("made_up_by", ["the next call", "the last to close the file"])
def test_a_reader_in_the_way_of_clearing_is_named_and_the_key_is_gone(
    store: LocalStore, path: Path, key_id: bytes, made_up_by: str
) -> None:
    """The error does not say that nothing was changed, and what it leaves behind does not stay."""
    store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
    with store._file.reading() as database:
        (envelope,) = database.execute("SELECT envelope FROM envelope").fetchone()
    with a_reader(store):
        with pytest.raises(StoreError, match="is changed, but what it held before") as caught:
            store.device().destroy(key_id)
        assert (caught.value.code, caught.value.transient) == ("STORE_NOT_CLEARED", True)
        assert store.device().find(key_id) is None
        assert envelope in content(path)
    if made_up_by == "the next call":
        store.device().destroy(key_id)
    assert envelope not in content(path)


def test_purges_wait_for_readers_and_for_each_other(store: LocalStore, path: Path) -> None:
    """SQLite itself refuses a second checkpoint at once, whatever its busy timeout."""
    device, key_ids = store.device(), [number.to_bytes(16) for number in range(40)]
    for key_id in key_ids:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
    with ThreadPoolExecutor(8) as pool:
        with a_reader(store):
            destroyed = [pool.submit(device.destroy, key_id) for key_id in key_ids[:8]]
            wait_until(lambda: len(store.records()) == len(key_ids) - 8)
            assert not any(future.done() for future in destroyed)
        destroyed += [pool.submit(device.destroy, key_id) for key_id in key_ids[8:]]
        assert [future.exception() for future in destroyed] == [None] * len(key_ids)
    assert [file.name for file in path.parent.iterdir()] == ["pki.db"]


def test_a_writer_that_holds_the_file_is_waited_for(
    store: LocalStore, key_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storefile, "BUSY_S", 0.1)
    with store._file.writing():
        assert code_of(lambda: store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")) == "STORE_BUSY"
    assert store.device().find(key_id) is None


def test_a_file_that_is_missing_is_not_made_again(path: Path) -> None:
    store = LocalStore(path, lambda: [SEALING])
    assert code_of(lambda: store.device().find(bytes(16))) == "STORE_MISSING"
    assert not path.exists()


def test_a_file_that_is_there_is_not_made_again(store: LocalStore, path: Path) -> None:
    before = path.read_bytes()
    assert code_of(lambda: LocalStore.create(path, RIGHT)) == "STORE_EXISTS"
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["pki.db"]


@pytest.mark.parametrize("damage", [b"not a database" * 100, b"", b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_file(path: Path, damage: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(damage)
    store = LocalStore(path, lambda: [SEALING])
    assert code_of(lambda: list(store.device().list_keys())) == "STORE_DAMAGED"


def test_an_envelope_opens_in_its_own_place_only(store: LocalStore, key_id: bytes) -> None:
    other = bytes(reversed(key_id))
    for identity in (key_id, other):
        store.device().generate_key_pair(identity, KeySpec.EC_P256, "k")
    with store._file.writing() as database:
        swap = "UPDATE envelope SET envelope = (SELECT envelope FROM envelope WHERE key_id = ?) WHERE key_id = ?"
        database.execute(swap, (other, key_id))
    assert code_of(lambda: store.private_key(key_id)) == "STORE_DAMAGED"


def test_an_older_version_of_an_envelope_does_not_open(store: LocalStore, key_id: bytes) -> None:
    store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
    with store._file.writing() as database:
        database.execute("UPDATE envelope SET version = version + 1")
    assert code_of(lambda: store.private_key(key_id)) == "STORE_DAMAGED"


# What opens it


def test_a_wrong_password_changes_nothing(path: Path, key_id: bytes) -> None:
    LocalStore.create(path, RIGHT).device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
    before = content(path)
    store = LocalStore(path, lambda: [WRONG, SEALING])
    for act in (
        lambda: store.device().sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256),
        lambda: store.device().generate_key_pair(bytes(16), KeySpec.EC_P256, "k"),
        lambda: store.begin_change(SEALING.kind),
        store.check_opens,
    ):
        with pytest.raises(StoreLockedError) as caught:
            act()
        assert "PKIDatabasePassword" in caught.value.next_step
        assert not caught.value.outcome_unknown
    assert content(path) == before
    assert LocalStore(path, lambda: [RIGHT]).device().sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)


def test_looking_needs_no_secret(path: Path, key_id: bytes) -> None:
    LocalStore.create(path, RIGHT).device().generate_key_pair(key_id, KeySpec.EC_P256, "k")

    def nothing() -> list[PasswordOpener]:
        raise AssertionError("The store asked for a secret.")

    device = LocalStore(path, nothing).device()
    assert device.find(key_id) in list(device.list_keys())


def test_a_short_sealing_secret_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="too short"):
        LocalStore.create(path, SealingOpener(lambda: Pin(b"short")))
    assert not path.exists()


def test_the_self_test_says_when_the_store_does_not_open(path: Path) -> None:
    LocalStore.create(path, RIGHT)
    (line,) = LocalStore(path, lambda: [WRONG]).device().self_test()
    assert (line.ok, line.code) == (False, "STORE_LOCKED")


# Copies, and a full disk


def test_a_copy_opens_like_the_store(store: LocalStore, tmp_path: Path, key_id: bytes) -> None:
    store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
    copy = tmp_path / "copy.db"
    store.copy_to(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copied = LocalStore(copy, lambda: [SEALING]).device()
    assert copied.find(key_id) == store.device().find(key_id)
    assert copied.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)


FULL = """
import resource, signal, sys
from pathlib import Path
from hsm.device.base import KeySpec, Pin
from hsm.device.envelopes import SealingOpener
from hsm.device.errors import StoreError
from hsm.device.local import LocalStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LocalStore(Path(sys.argv[1]), lambda: [SealingOpener(lambda: Pin(b"s" * 32))])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
made = 0
try:
    for number in range(200):
        store.device().generate_key_pair(number.to_bytes(16), KeySpec.EC_P256, "x" * 200)
        made += 1
except StoreError as error:
    print(made, error.code)
"""


@pytest.mark.parametrize("limit", [1, 30_000, 60_000, 90_000])
def test_a_full_disk_leaves_the_store_whole(store: LocalStore, path: Path, limit: int) -> None:
    """No file of the process may grow beyond the limit, which stands for a disk that is full."""
    first = (10**6).to_bytes(16)
    store.device().generate_key_pair(first, KeySpec.EC_P256, "k")
    command = [sys.executable, "-c", FULL, str(path), str(limit)]
    done = subprocess.run(command, cwd=CODE_ROOT, capture_output=True, text=True, check=True)
    made, code = done.stdout.split()
    assert code == "STORE_FULL"
    records = list(store.device().list_keys())
    # The key whose writing failed may be there after all: outcome_unknown says so, and find tells.
    assert int(made) + 1 <= len(records) <= int(made) + 2
    for record in records:
        assert store.device().sign(record.key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
    with store._file.reading() as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_many_threads_share_a_store(store: LocalStore) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            key_id = number.to_bytes(16)
            store.device().generate_key_pair(key_id, KeySpec.EC_P256, "k")
            store.device().sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
            if number % 2:
                store.device().destroy(key_id)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(store.device().list_keys())) == 4
