"""A deployment upgraded from 7.3 with an HSM: legacy-root stays on its token, and all goes on from there."""

import os
import secrets
import subprocess
import sys
from html import unescape
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry
from console.env import BASE_DIR
from console.lib.actor import Actor
from console.servers.models import Server
from hsm.models.tokens import PinTrial
from keys import setup, verification
from keys.actions import Action
from keys.models.root import Root, RootKind, RootState
from settings_store import values
from tests.fixtures.softhsm import SoftHsm, Token

COMMAND = "upgraded_from_7_3"


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("old-appliance", pin="24681357")


def make_key(softhsm: SoftHsm, token: Token, kind: str = "rsa:3072", *more: str) -> str:
    """Make a key as the old version did, behind the console's back; return its CKA_ID."""
    key_id = secrets.token_hex(16)
    softhsm.tool("--keypairgen", "--key-type", kind, "--id", key_id, "--label", "old", *more, token=token)
    return key_id


def run(folder: Path, token: Token, key_id: str, **changes: str) -> str:
    pin_file, out = folder / "pin", StringIO()
    pin_file.write_text(changes.pop("pin", token.pin) + "\n")
    options = {"module": token.module, "token_name": token.label, "key_id": key_id, **changes}
    call_command(COMMAND, pin_file=pin_file, stdout=out, **options)
    return out.getvalue()


def test_legacy_root_is_on_the_hsm_and_set_up_leaves_it_there(
    server: Server, softhsm: SoftHsm, token: Token, tmp_path: Path, admin_client: Client
) -> None:  # HSI-05, AMB-32, AMB-43
    key_id = make_key(softhsm, token)
    assert "old-appliance" in run(tmp_path, token, key_id)
    legacy = Root.objects.get(kind=RootKind.LEGACY)
    assert (legacy.name, legacy.state, legacy.store, legacy.cka_id.hex()) == (
        "legacy-root", RootState.ACTIVE, "token", key_id,
    )  # fmt: skip
    certificate = x509.load_der_x509_certificate(bytes(legacy.certificate_der))
    certificate.verify_directly_issued_by(certificate)
    assert values.integer("enable_protocol_314_flag") == 1
    assert Entry.objects.get(action=Action.UPGRADED).subject_label == "legacy-root"
    assert token.pin not in "".join(Entry.objects.values_list("details", flat=True))

    assert setup.make_legacy_root() is None
    setup.make_first_root()
    assert Root.objects.get(kind=RootKind.ROOT).store == "token"  # the HSM stores the roots of all versions
    assert softhsm.objects(token).count("Private Key Object") == 2

    lines = verification.run(server, actor=Actor.system("tests"), progress=lambda *_: None)
    about = [line for line in lines if "legacy-root" in line.name]
    assert len(about) == 2
    assert all(line.ok for line in about), about
    page = unescape(admin_client.get(reverse("keys:current-server")).content.decode())
    assert "HSM token old-appliance" in page.partition(">legacy-root<")[2].partition("</li>")[0]
    assert "legacy-root, for Client 7.2, stays on the HSM" in unescape(
        admin_client.get(reverse("keys:integration")).content.decode()
    )


def test_a_second_run_and_a_server_that_is_set_up_are_refused(
    server: Server, softhsm: SoftHsm, token: Token, tmp_path: Path
) -> None:
    setup.make_legacy_root()
    with pytest.raises(CommandError, match="has a legacy-root already"):
        run(tmp_path, token, make_key(softhsm, token))
    assert values.text("HSMModulePath") is None
    assert Root.objects.get().store == "local"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("EC:secp384r1", "RSA_3072 is needed"), ("rsa:2048", "RSA_3072 is needed"), ("", "no whole key pair")],
)
def test_a_key_that_is_not_there_or_of_another_kind_changes_nothing_on_the_token(
    server: Server, softhsm: SoftHsm, token: Token, tmp_path: Path, kind: str, said: str
) -> None:
    key_id = make_key(softhsm, token, kind) if kind else secrets.token_hex(16)
    before = softhsm.objects(token)
    with pytest.raises(CommandError, match=said):
        run(tmp_path, token, key_id)
    assert not Root.objects.exists()
    assert softhsm.objects(token) == before
    assert values.integer("enable_protocol_314_flag") == 0


def test_a_key_that_could_leave_the_token_is_not_taken_over(
    server: Server, softhsm: SoftHsm, token: Token, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="could leave the token"):
        run(tmp_path, token, make_key(softhsm, token, "rsa:3072", "--extractable"))
    assert not Root.objects.exists()


def test_a_wrong_pin_is_tried_once_and_the_right_one_afterwards(
    server: Server, softhsm: SoftHsm, token: Token, tmp_path: Path
) -> None:
    key_id = make_key(softhsm, token)
    with pytest.raises(CommandError, match="PIN"):
        run(tmp_path, token, key_id, pin="99990000")
    assert PinTrial.objects.count() == 1
    run(tmp_path, token, key_id)
    assert Root.objects.get().state == RootState.ACTIVE


@pytest.mark.parametrize("key_id", ["xyz", "0a", ""])
def test_an_id_that_cannot_be_one_is_named(server: Server, token: Token, tmp_path: Path, key_id: str) -> None:
    with pytest.raises(CommandError):
        run(tmp_path, token, key_id)
    assert not Root.objects.exists()


def test_a_database_that_is_not_migrated_is_named(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}", "BROKER_URL": "memory://"}
    environment |= {"KEYSTEAD_STATE_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "console.settings"}
    given = ("--module", "/m.so", "--token-name", "old", "--pin-file", "/dev/null", "--key-id", "00" * 16)
    done = subprocess.run(
        [sys.executable, "manage.py", COMMAND, *given],
        env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Run migrate first" in done.stderr
    assert not (tmp_path / "secrets").exists()
