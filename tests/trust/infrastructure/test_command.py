"""`manage.py init_file`: for set-up by script, on the worker's host."""

import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.activity.models import Entry
from console.lib.secret import Secret
from console.servers.models import Server
from keys.models.root import Root
from trust.infrastructure.making import digest
from trust.models.credentials import Credential
from trust.wire import initfile

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_it_writes_a_file_with_a_credential(make_root: Callable[..., Root], tmp_path: Path) -> None:
    root = make_root()
    path, said = tmp_path / "keystead-init.dat", StringIO()
    call_command(
        "init_file", out=path, server_names="a.example.com,b.example.com", most_uses=3, days=2, note="CI", stdout=said
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = initfile.decode(path.read_bytes())
    assert content.settings == {"ServerNameList": "a.example.com,b.example.com"}
    assert [listed.name for listed in content.roots] == [root.name]
    credential = Credential.objects.get()
    assert (credential.most_uses, credential.note, content.enrolment.id) == (3, "CI", str(credential.pk))
    assert digest(Secret(content.enrolment.secret)) == credential.secret_sha256
    entry = Entry.objects.get(action="trust.init-file.written")
    assert str(path) in entry.details
    assert content.enrolment.secret not in said.getvalue() + entry.details


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"most_uses": 0}, "--most-uses must be"),
        ({"days": 4_000}, "--days must be"),
        ({"note": "x" * 201}, "--note has"),
        ({"server_names": "not a host!"}, "not the name of a host"),
    ],
)
def test_what_is_wrong_writes_nothing(server: Server, tmp_path: Path, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("init_file", **{"out": tmp_path / "file", **options})
    assert list(tmp_path.glob("file")) == []
    assert not Credential.objects.exists()


def test_a_file_is_never_overwritten_and_leaves_nothing_where_it_cannot_be(
    make_root: Callable[..., Root], tmp_path: Path
) -> None:
    make_root()
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        call_command("init_file", out=path)
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("init_file", out=tmp_path / "nowhere" / "file")
    assert path.read_text() == "mine"
    assert not Credential.objects.exists()
