"""docs/design.md §6: signed heads stand in the database and in an append-only file, whatever is interrupted."""

import stat
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import DatabaseError, connection, transaction

from console.activity import headfile, heads
from console.activity.headfile import DamagedLine, HeadLine
from console.activity.models import Entry, SignedHead
from tests.console.activity.conftest import LogKey

Append = Callable[[int], list[Entry]]


def in_file() -> list[int]:
    return [line.seq for line in headfile.lines() if isinstance(line, HeadLine)]


def test_a_head_is_due_once(append: Append, log_key: LogKey) -> None:
    assert heads.due() is None
    append(2)
    assert log_key.sign() == 2
    assert log_key.sign() == 0
    append(1)
    assert log_key.sign() == 3


def test_the_file_holds_the_same_heads_with_mode_0640(
    append: Append, log_key: LogKey, signed_heads: Callable[[], list[int]]
) -> None:
    append(2)
    log_key.sign()
    entries = append(3)
    log_key.sign()
    assert in_file() == signed_heads() == [2, 5]
    assert stat.S_IMODE(headfile.path().stat().st_mode) == 0o640
    last = list(headfile.lines())[-1]
    assert isinstance(last, HeadLine)
    assert last.hashes == tuple(entry.hash for entry in entries)
    assert heads.verify_signature(last)


def test_the_signature_covers_every_field(append: Append, log_key: LogKey) -> None:
    append(1)
    log_key.sign()
    line = next(headfile.lines())
    assert isinstance(line, HeadLine)
    later = line.signed_at.replace(year=2030)
    for changed in ({"seq": 2}, {"hash": "0" * 64}, {"server": "ts2"}, {"signed_at": later}, {"signature": b"x"}):
        assert not heads.verify_signature(replace(line, **changed))


def test_other_kinds_of_keys_verify_nothing(append: Append, log_key: LogKey) -> None:
    append(1)
    log_key.sign()
    line = next(headfile.lines())
    assert isinstance(line, HeadLine)
    key = rsa.generate_private_key(65537, 2048).public_key()
    other = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for public_key in (other, b"", b"no key"):
        assert not heads.verify_signature(replace(line, public_key=public_key))


def test_a_signature_that_does_not_verify_is_not_kept(append: Append, log_key: LogKey) -> None:
    append(1)
    head = heads.due()
    assert head is not None
    with pytest.raises(ValueError, match="does not verify"):
        heads.record(head, signature=b"\x30\x00", public_key=log_key.spki)
    assert not SignedHead.objects.exists()
    assert not headfile.path().exists()


def test_two_workers_that_sign_the_same_head_keep_one(append: Append, log_key: LogKey) -> None:
    append(1)
    head = heads.due()
    assert head is not None
    for _ in range(2):
        signature = log_key.private.sign(heads.message(head), ec.ECDSA(SHA256()))
        heads.record(head, signature=signature, public_key=log_key.spki)
    assert SignedHead.objects.count() == 1
    assert in_file() == [1]


def test_what_a_crash_left_out_of_the_file_is_added_and_said(append: Append, log_key: LogKey) -> None:
    for _ in range(3):
        append(1)
        log_key.sign()
    lines = headfile.path().read_bytes().splitlines(keepends=True)
    headfile.path().write_bytes(lines[0] + lines[1][:40])
    append(1)
    log_key.sign()
    assert in_file() == [1, 2, 3, 4]
    assert not any(isinstance(line, DamagedLine) for line in headfile.lines())
    entry = Entry.objects.get(action="activity-log.evidence-completed")
    assert entry.details == '{"added":2,"file":"activity-heads.log"}'


def test_a_damaged_line_in_the_middle_stays_visible(append: Append, log_key: LogKey) -> None:
    append(1)
    log_key.sign()
    with headfile.path().open("ab") as file:
        file.write(b"not json\n\xff\xfe\n{}\n[1]\n")
    append(1)
    log_key.sign()
    kinds = [type(line) for line in headfile.lines()]
    assert kinds == [HeadLine, *[DamagedLine] * 4, HeadLine]


def test_the_database_refuses_to_change_a_signed_head(append: Append, log_key: LogKey) -> None:
    append(1)
    log_key.sign()
    for statement in ("UPDATE activity_signedhead SET seq = 9", "DELETE FROM activity_signedhead"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
