"""pki.db of an older version: what it held stays usable, and no crash leaves it between two formats."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.device import envelopes, keyring, spki, storeformat
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.envelopes import PasswordOpener, SealingOpener
from hsm.device.errors import KeyMissingError, StoreError
from hsm.device.local import LocalStore
from hsm.device.objects import KeyFamily, Operation

SEALING = SealingOpener(lambda: Pin(bytes(32)))
ECDSA = SignatureScheme.ECDSA_SHA256
# As version 1 made it, word for word.
FORMAT_1 = """
PRAGMA journal_mode=WAL;
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, serial TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE slot (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('password', 'sealing')),
    state TEXT NOT NULL CHECK (state IN ('active', 'second', 'retired')), salt BLOB NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE data_key (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL) STRICT;
CREATE TABLE wrap (
    slot_id INTEGER NOT NULL REFERENCES slot, data_key_id INTEGER NOT NULL REFERENCES data_key, wrapped BLOB NOT NULL,
    PRIMARY KEY (slot_id, data_key_id)
) STRICT;
CREATE TABLE envelope (
    key_id BLOB PRIMARY KEY, version INTEGER NOT NULL, data_key_id INTEGER NOT NULL REFERENCES data_key,
    envelope BLOB NOT NULL, label TEXT NOT NULL, spki BLOB NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE TABLE change (
    id INTEGER PRIMARY KEY CHECK (id = 1), kind TEXT NOT NULL, step TEXT NOT NULL, slot_id INTEGER REFERENCES slot
) STRICT;
INSERT INTO store VALUES (1, 1, '0011223344556677', '2026-11-22T00:00:00+00:00');
"""
FILL = """
import sys
from tests.hsm.device.test_store_format import upgrade_and_hang
upgrade_and_hang(sys.argv[1], int(sys.argv[2]))
"""


def make_old_file(path: Path, key_id: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a file of format 1 that holds one root key."""
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(FORMAT_1)
        data_key_id, data_key = keyring.add_data_key(database)
        keyring.add_slot(database, SEALING, state="active", data_keys={data_key_id: data_key})
        plain = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        envelope = envelopes.enclose(data_key, plain, key_id=key_id, version=1)
        row = (key_id, 1, data_key_id, envelope, "Root 0", spki.spki_der(key.public_key()), "2026-11-22T00:00:00+00:00")
        database.execute("INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def old_file(path: Path, key_id: bytes, key: ec.EllipticCurvePrivateKey) -> Path:
    make_old_file(path, key_id, key)
    return path


def test_an_old_file_becomes_current_and_keeps_its_keys(
    old_file: Path, key_id: bytes, key: ec.EllipticCurvePrivateKey
) -> None:
    device = LocalStore(old_file, lambda: [SEALING]).device()
    (record,) = device.list_keys()
    assert (record.key_id, record.label, record.spki_der) == (key_id, "Root 0", spki.spki_der(key.public_key()))
    signature = device.sign(key_id, bytes(32), ECDSA)
    assert spki.verifies(key.public_key(), signature, bytes(32), ECDSA)
    with closing(sqlite3.connect(old_file)) as database:
        assert database.execute("SELECT format FROM store").fetchone() == (storeformat.FORMAT,)
        (row,) = database.execute("SELECT family, spec, operations, imported, own FROM envelope").fetchall()
        assert row == ("key-pair", "ec-p384", "sign verify", 0, 1)


def test_an_old_file_takes_security_objects_and_another_password(old_file: Path, key_id: bytes) -> None:
    device = LocalStore(old_file, lambda: [SEALING]).device()
    secret_id, pair_id = os.urandom(16), os.urandom(16)
    device.generate(secret_id, KeySpec.AES_256, "aes", frozenset({Operation.SIGN, Operation.VERIFY}))
    device.generate(pair_id, KeySpec.EC_P256, "ec", frozenset({Operation.SIGN, Operation.VERIFY}))
    mac = device.sign_data(KeyFamily.SECRET_KEY, secret_id, b"data", "aes-cmac")
    device.remove_private(pair_id)
    password = PasswordOpener(Pin("new password"))
    store = LocalStore(old_file, lambda: [SEALING])
    store.begin_change(password.kind)
    store.finish(password)
    again = LocalStore(old_file, lambda: [password]).device()
    assert again.sign(key_id, bytes(32), ECDSA)
    assert again.verify_data(KeyFamily.SECRET_KEY, secret_id, b"data", mac, "aes-cmac")
    pair = again.read(KeyFamily.KEY_PAIR, pair_id)
    assert pair is not None
    assert not pair.has_private


def test_a_new_file_is_made_as_an_old_one_becomes(old_file: Path, tmp_path: Path) -> None:
    LocalStore(old_file, list).records()
    new = tmp_path / "pki.db"
    LocalStore.create(new, SEALING)
    shapes = []
    for path in (old_file, new):
        with closing(sqlite3.connect(path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            shapes.append({name: database.execute(f"PRAGMA table_info({name})").fetchall() for name in tables})
    assert shapes[0] == shapes[1]


def upgrade_and_hang(path: str, statements: int) -> None:
    """Open the file in a process of its own and stop, after some statements of the upgrade, until somebody kills it."""
    done = 0

    def trace(statement: str) -> None:
        nonlocal done
        if statement.startswith(("ALTER", "UPDATE", "COMMIT")):
            done += 1
        if done > statements:
            sys.stdout.write(json.dumps(statement) + "\n")
            sys.stdout.flush()
            signal.pause()

    connect = sqlite3.connect

    def tracing(*arguments: object, **options: object) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)  # type: ignore[call-overload]
        database.set_trace_callback(trace)
        return database

    sqlite3.connect = tracing  # type: ignore[assignment]
    LocalStore(Path(path), list).records()


@pytest.mark.parametrize("statements", range(len(storeformat.TO_FORMAT_2) + 3))
def test_a_kill_at_any_statement_leaves_one_format_or_the_other(old_file: Path, key_id: bytes, statements: int) -> None:
    command = [sys.executable, "-c", FILL, str(old_file), str(statements)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
    with closing(sqlite3.connect(old_file)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(envelope)")]
        (version,) = database.execute("SELECT format FROM store").fetchone()
    assert (version, "own" in columns, "family" in columns) == (1, False, False)
    device = LocalStore(old_file, lambda: [SEALING]).device()
    assert device.sign(key_id, bytes(32), ECDSA)


def test_a_file_of_a_newer_version_is_not_touched(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as database, database:
        database.execute("UPDATE store SET format = 3")
    store = LocalStore(old_file, lambda: [SEALING])
    with pytest.raises(StoreError) as caught:
        store.records()
    assert caught.value.code == "STORE_NEWER"
    assert caught.value.next_step
    with closing(sqlite3.connect(old_file)) as database:
        assert "own" not in [row[1] for row in database.execute("PRAGMA table_info(envelope)")]


def test_the_console_s_own_keys_are_no_security_objects(path: Path, key_id: bytes) -> None:
    device = LocalStore.create(path, SEALING).device()
    device.generate_key_pair(key_id, KeySpec.EC_P256, "Root 0")
    object_id = os.urandom(16)
    device.generate(object_id, KeySpec.EC_P256, "Root 0", frozenset({Operation.SIGN}))
    # By label, the console looks for keys of its own; nobody can slip one in.
    assert [record.key_id for record in device.list_keys()] == [key_id]
    assert [record.key_id for record in device.read_all().objects] == [object_id]
    assert device.read(KeyFamily.KEY_PAIR, key_id) is None
    device.remove(KeyFamily.KEY_PAIR, key_id, None)
    device.remove_private(key_id)
    assert device.sign(key_id, bytes(32), ECDSA)
    with pytest.raises(KeyMissingError):
        device.sign_data(KeyFamily.KEY_PAIR, key_id, bytes(32), ECDSA)
    with pytest.raises(KeyMissingError):
        device.permit(KeyFamily.KEY_PAIR, key_id, frozenset())
