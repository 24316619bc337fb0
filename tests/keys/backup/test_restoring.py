"""Restoring: into an empty machine all comes back; what must not be is refused before anything changes."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.db import connection
from pytest_django import Settings

from console import env
from console.accounts.models import User
from console.activity import triggers
from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib.errors import InvalidError, RefusedError
from console.lib.secret import Secret
from keys import keystore
from keys.backup import aftercare, database, restoring
from keys.backup.restoring import Wishes
from keys.models.backup import Backup
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.stores import open_signer
from settings_store.models import Setting
from tests.keys.backup.conftest import PASSPHRASE
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db(transaction=True)
FORCE = Wishes(force=True)
BackUp = Callable[..., Backup]

# Runs in the restored machine: signs with every living key, and says by which key.
SIGN = """
import django; django.setup()
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.stores import open_signer
for model in (Root, Subordinate):
    for key in model.objects.filter(destroyed_at=None).order_by("created_at"):
        with open_signer(key) as signer:
            from keys.signing import sign
            print(key.fingerprint, sign(b"restored", signer).hex(), bytes(key.spki_der).hex())
"""


def restore(backup: Backup, wishes: Wishes = FORCE, passphrase: Secret = PASSPHRASE) -> list[str]:
    said: list[str] = []
    restoring.restore(Path(backup.path), passphrase, wishes=wishes, actor=ALICE, say=said.append)
    keystore._slot_keys.clear()
    return said


def everything() -> dict[str, str]:
    """Return a digest of each table, and of the files."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names()):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the names of our tables
            found[table] = hashlib.sha256(repr(sorted(map(repr, cursor.fetchall()))).encode()).hexdigest()
    return found


def machine(folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment of an empty machine."""
    ours = {"SECRET_KEY", "SECRET_KEY_FILE", "BROKER_URL", "KEYSTEAD_SERVER_NAME", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {
        "KEYSTEAD_STATE_DIR": str(folder),
        "KEYSTEAD_SERVER_NAME": env.server_name(),
        "DATABASE_URL": f"sqlite:///{folder / 'keystead.db'}",
        "DJANGO_SETTINGS_MODULE": "console.settings",
        **changes,
    }


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *arguments],
        env=environment, cwd=env.BASE_DIR, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_into_an_empty_machine(
    furnished: Root, make_root: Callable[..., Root], use_token: Callable[..., None], softhsm: Any, back_up: BackUp,
    settings: Settings, tmp_path: Path,
) -> None:  # fmt: skip
    """Walkthrough step 9: database, pki.db under its password, sealing key; keys on the token by their binding."""
    use_token(softhsm.token("alpha"), "Root", "MessageSigning")
    on_token = make_root()
    backup = back_up()
    folder = tmp_path / "new-machine"
    secret = tmp_path / "passphrase"
    secret.write_bytes(PASSPHRASE.reveal_bytes() + b"\n")
    environment = machine(folder, KEYSTEAD_SERVER_NAME=settings.SERVER_NAME)

    done = manage(environment, "restore", backup.path, "--passphrase-file", str(secret))
    assert done.returncode == 0, done.stderr
    assert "The activity log verifies" in done.stdout
    assert "pki.db opens." in done.stdout
    module = Path(softhsm.module).resolve()
    assert f"Needs the HSM token alpha by the module {module}" in done.stdout
    assert f"Not contained: {on_token.name}: its private key stays on the HSM token alpha." in done.stdout
    modes = {path: (folder / path).stat().st_mode & 0o777 for path in ("pki/pki.db", "secrets/sealing.pub")}
    assert modes == {"pki/pki.db": 0o600, "secrets/sealing.pub": 0o644}
    assert (folder / "secrets/sealing.key").read_bytes() == settings.SEALING_KEY_FILE.read_bytes()

    signed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SIGN],
        env=environment, cwd=env.BASE_DIR, capture_output=True, text=True, check=True, timeout=300,
    ).stdout.splitlines()  # fmt: skip
    fingerprints = (model.objects.values_list("fingerprint", flat=True) for model in (Root, Subordinate))
    expected = {fingerprint for found in fingerprints for fingerprint in found}
    assert {line.split()[0] for line in signed} == expected
    for line in signed:
        _, signature, spki = line.split()
        assert verifies(bytes.fromhex(spki), bytes.fromhex(signature))

    again = manage(environment, "restore", backup.path, "--passphrase-file", str(secret))
    assert again.returncode == 1
    assert "not empty" in again.stderr


def verifies(spki: bytes, signature: bytes) -> bool:
    from keys.signing import is_valid

    return is_valid(signature, b"restored", serialization.load_der_public_key(spki))  # type: ignore[arg-type]


def test_over_what_is_there(furnished: Root, back_up: BackUp, settings: Settings, admin: User) -> None:
    """With --force: later rows go, files are kept aside, the triggers are back and the chain holds."""
    backup = back_up()
    before = everything()
    Setting.objects.all().delete()
    User.objects.create(username="later")
    settings.PKI_DATABASE.unlink()
    said = restore(backup)
    after = everything()
    changed = {name for name in before if before[name] != after.get(name)}
    # The archive was made while its own row and job were open; the restore itself is in the log.
    own_traces = {"keys_backup", "jobs_job", "activity_entry", "activity_head"}
    not_restored = {"django_session", "usersessions_usersession", "console_cache", "sqlite_sequence"}
    assert changed <= own_traces | not_restored
    assert triggers.missing(connection) == []
    assert Entry.objects.order_by("-seq")[0].action == "keys.backup.restored"
    found = list(aftercare.findings(restoring.read_header(Path(backup.path)).made_at))
    assert found[0].startswith("The activity log verifies")
    assert "pki.db opens." in found
    assert any("sealing.key was there before" in sentence for sentence in said)
    with open_signer(furnished) as signer:
        certificate = x509.load_der_x509_certificate(bytes(furnished.certificate_der))
        assert signer.public_key() == certificate.public_key()
    own = Backup.objects.get(pk=backup.pk)
    assert (own.sha256, own.sealed_passphrase) == (backup.sha256, None)
    assert Job.objects.get(subject_id=str(backup.pk)).state == State.SUCCEEDED


def test_new_rows_after_a_restore(furnished: Root, back_up: BackUp, make_root: Callable[..., Root]) -> None:
    """Sequences go on where they were: the next root gets the next number, the log its next entry."""
    backup = back_up()
    restore(backup)
    assert make_root().number == furnished.number + 1  # type: ignore[operator]


@pytest.mark.parametrize("damage", ["passphrase", "cut off", "flipped"])
def test_what_does_not_open_changes_nothing(furnished: Root, back_up: BackUp, damage: str) -> None:
    backup = back_up()
    path = Path(backup.path)
    raw = bytearray(path.read_bytes())
    if damage == "cut off":
        path.write_bytes(raw[:-100])
    if damage == "flipped":
        raw[-2000] ^= 1
        path.write_bytes(raw)
    before = everything()
    with pytest.raises(InvalidError):
        restore(backup, passphrase=Secret("another one") if damage == "passphrase" else PASSPHRASE)
    assert everything() == before
    assert not list(path.parent.parent.rglob("*.restoring"))


def test_a_pre_revocation_archive(furnished: Root, back_up: BackUp) -> None:
    """KEY-29: refused unless accepted in so many words."""
    backup = back_up("pre-revocation")
    before = everything()
    with pytest.raises(RefusedError, match="planning only") as caught:
        restore(backup)
    assert (caught.value.code, everything()) == ("pre-revocation", before)
    assert restore(backup, Wishes(force=True, accept_pre_revocation=True))


def test_not_into_a_machine_that_holds_something(furnished: Root, back_up: BackUp, settings: Settings) -> None:
    backup = back_up()
    with pytest.raises(RefusedError, match="not empty") as caught:
        restore(backup, Wishes())
    assert str(settings.PKI_DATABASE) in caught.value.message


def test_another_server_and_another_version(furnished: Root, back_up: BackUp, settings: Settings) -> None:
    backup = back_up()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrations", lambda: {"keys": "0001_initial"})
        with pytest.raises(RefusedError, match="another version"):
            restore(backup)
    settings.SERVER_NAME = "other.example.com"
    with pytest.raises(RefusedError, match="The archive is of"):
        restore(backup)


def test_a_failure_in_the_middle_leaves_the_database(furnished: Root, back_up: BackUp) -> None:
    """One transaction: half a database never stands there."""
    backup = back_up()
    before = everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triggers, "install", lambda _connection: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            restore(backup)
    assert everything() == before
    assert triggers.missing(connection) == []


def test_a_secret_key_that_is_not_ours_to_write(tmp_path: Path, settings: Settings, var_dir: Path) -> None:
    """As under systemd: the key from the archive is put beside, for the administrator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SECRET_KEY", raising=False)
        patch.delenv("SECRET_KEY_FILE", raising=False)
        assert restoring.secret_key_file() == var_dir / "secrets" / "secret-key"
        patch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
        assert restoring.secret_key_file() == tmp_path / "key"
        patch.setenv("SECRET_KEY_FILE", "/proc/credentials/key")
        assert restoring.secret_key_file() == var_dir / "secrets" / "secret-key.restored"
        patch.delenv("SECRET_KEY_FILE")
        patch.setenv("SECRET_KEY", "a value")
        assert restoring.secret_key_file().name == "secret-key.restored"


def test_the_commands(furnished: Root, back_up: BackUp, settings: Settings, tmp_path: Path) -> None:
    """A file that is no archive, no passphrase, and --inspect, as a person sees them."""
    backup = back_up()
    environment = machine(tmp_path / "empty", KEYSTEAD_SERVER_NAME=settings.SERVER_NAME)
    shown = manage(environment, "restore", backup.path, "--inspect")
    assert f"manual backup of {settings.SERVER_NAME}" in shown.stdout
    assert furnished.name in shown.stdout
    no_passphrase = manage(environment, "restore", backup.path)
    assert "There is no passphrase" in no_passphrase.stderr
    other = manage(environment, "restore", str(Path("manage.py")))
    assert "no Keystead backup" in other.stderr
    assert "Traceback" not in no_passphrase.stderr + other.stderr
    shutil.rmtree(tmp_path / "empty")
