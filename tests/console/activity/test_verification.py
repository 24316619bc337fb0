"""What docs/design.md §6 promises.

Any change up to the last signed head is found, the first bad entry named; newer ones are chained only.

Everything here is done with plain SQL behind the console's back, with the triggers dropped.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from console.activity import headfile, verification
from console.activity.models import Entry, Head, SignedHead
from console.activity.verification import Report, Verdict
from console.lib import clock
from tests.console.activity.conftest import Intruder, LogKey

Append = Callable[[int], list[Entry]]


@pytest.fixture
def verify(log_key: LogKey) -> Callable[[], Report]:
    return lambda: verification.verify({log_key.spki})


@pytest.fixture
def signed(append: Append, log_key: LogKey) -> int:
    """Twelve entries: heads are signed at 4 and at 9, three entries are chained only."""
    start = Head.objects.get().seq
    assert start == 0
    for count in (4, 5):
        append(count)
        log_key.sign()
    append(3)
    return 12


Verify = Callable[[], Report]


def test_an_untouched_log_is_intact_and_says_what_is_only_chained(signed: int, verify: Verify) -> None:
    report = verify()
    assert (report.verdict, report.entries, report.proven_to, report.chained_only) == (Verdict.INTACT, 12, 9, 3)
    assert (report.heads, report.weaknesses) == (2, [])


def test_an_empty_log_is_intact(verify: Verify) -> None:
    report = verify()
    assert (report.verdict, report.entries, report.chained_only) == (Verdict.INTACT, 0, 0)


FORGERIES: list[dict[str, Any]] = [
    {"actor": "bob"},
    {"actor_kind": "system"},
    {"actor_id": "2"},
    {"planned_by": "bob"},
    {"action": "test.other"},
    {"server": "ts2.example"},
    {"subject_kind": "user"},
    {"subject_id": "9"},
    {"subject_label": "ts1 Root 99"},
    {"outcome": "failed"},
    {"details": '{"number":3}'},
    {"details": ""},
    {"at": "2020-01-01 00:00:00+00:00"},
    {"hash": "0" * 64},
    {"previous_hash": "0" * 64},
]


@pytest.mark.parametrize("values", FORGERIES, ids=lambda values: next(iter(values)))
@pytest.mark.parametrize("seq", [1, 5, 9, 12])
def test_a_changed_row_is_named(
    seq: int, values: dict[str, Any], signed: int, verify: Verify, intruder: Intruder
) -> None:
    if seq == 1 and "previous_hash" in values:
        values = {"previous_hash": "1" * 64}
    intruder.change(seq, **values)
    intruder.done()
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, seq)
    assert f"ntry {seq}" in report.what


def test_a_value_that_cannot_even_be_read_is_named(signed: int, verify: Verify, intruder: Intruder) -> None:
    unreadable = "20000-01-01 00:00:00+00" if connection.vendor == "postgresql" else "2026-13-45 99:00:00"
    intruder.change(6, at=unreadable)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, 6)


@pytest.mark.parametrize("seq", [1, 4, 5, 11])
def test_a_removed_row_is_named(seq: int, signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.remove(seq)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, seq)
    assert "missing" in report.what


def test_removed_and_renumbered_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.remove(5)
    for seq in range(6, 13):
        intruder.change(seq, seq=seq - 1)
    assert verify().first_bad == 5


def copy(intruder: Intruder, seq: int, to: int) -> None:
    names = ", ".join(str(field.column) for field in Entry._meta.fields if field.column != "seq")
    statement = "INSERT INTO activity_entry (seq, {0}) SELECT %s, {0} FROM activity_entry WHERE seq = %s"
    intruder.sql(statement.format(names), to, seq)


def test_an_inserted_row_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    copy(intruder, 3, 13)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, 13)


def test_a_row_inserted_in_front_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    copy(intruder, 1, 0)
    assert verify().first_bad == 1


def test_a_row_inserted_in_the_middle_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    for seq in range(12, 6, -1):
        intruder.change(seq, seq=seq + 1)
    copy(intruder, 2, 7)
    intruder.recompute(7)
    assert verify().first_bad == 7


@pytest.mark.parametrize("first", [1, 4, 8, 9])
def test_a_tail_cut_below_a_signed_head_is_found(first: int, signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.cut_tail(first)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, first)
    assert "signed head" in report.what


def test_a_tail_cut_with_its_signed_heads_is_found_by_the_file(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.cut_tail(6)
    intruder.remove_signed_heads(first=6)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, 6)
    assert any("that the database lacks" in text for text in report.weaknesses)


def test_a_tail_cut_above_the_last_signed_head_shows_while_the_head_row_stands(
    signed: int, verify: Verify, intruder: Intruder
) -> None:
    intruder.remove(12)
    assert verify().first_bad == 12
    intruder.cut_tail(11)
    intruder.done()
    report = verify()
    assert (report.verdict, report.entries, report.chained_only) == (Verdict.INTACT, 10, 1)


@pytest.mark.parametrize("seq", [1, 3, 4, 5, 7, 9])
def test_hashes_recomputed_from_some_point_on_are_found_and_the_entry_named(
    seq: int, signed: int, verify: Verify, intruder: Intruder
) -> None:
    intruder.change(seq, actor="mallory")
    intruder.recompute(seq)
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, seq)
    assert "computed anew" in report.what


def test_without_the_file_the_recomputed_range_is_named(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.change(7, actor="mallory")
    intruder.recompute(7)
    intruder.file().unlink()
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, 5)
    assert "up to 9" in report.what


def test_one_recomputed_hash_is_named_not_the_entry_after_it(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.change(6, actor="mallory")
    intruder.change(6, hash=Entry.objects.get(seq=6).computed_hash())
    assert verify().first_bad == 6


def test_recomputing_past_the_last_signed_head_is_chained_only(signed: int, verify: Verify, intruder: Intruder) -> None:
    # What the page promises, and no more: entries after the last signed head are only chained.
    intruder.change(11, actor="mallory")
    intruder.recompute(11)
    intruder.done()
    report = verify()
    assert (report.verdict, report.proven_to, report.chained_only) == (Verdict.INTACT, 9, 3)


def test_deleted_signed_heads_are_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.remove_signed_heads()
    intruder.done()
    report = verify()
    assert (report.verdict, report.proven_to) == (Verdict.WEAKENED, 9)
    assert report.weaknesses == [
        "There are 2 signed heads that the database lacks, first at entry 4: rows were deleted."
    ]


def test_recomputing_and_deleting_the_signed_heads_is_found_by_the_file(
    signed: int, verify: Verify, intruder: Intruder
) -> None:
    intruder.change(2, actor="mallory")
    intruder.recompute(2)
    intruder.remove_signed_heads()
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.ALTERED, 2)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_truncated_file_is_found(kept: int, signed: int, verify: Verify, intruder: Intruder) -> None:
    lines = intruder.file().read_bytes().splitlines(keepends=True)
    intruder.file().write_bytes(b"".join(lines[:kept]))
    intruder.done()
    report = verify()
    assert (report.verdict, report.proven_to) == (Verdict.WEAKENED, 9)
    assert f"that the file activity-heads.log lacks, first at entry {(4, 9)[kept]}" in report.weaknesses[0]


def test_a_file_cut_in_the_middle_of_a_line_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.file().write_bytes(intruder.file().read_bytes()[:-20])
    report = verify()
    assert report.verdict is Verdict.WEAKENED
    assert any("damaged" in text for text in report.weaknesses)


def test_a_file_that_is_gone_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.file().unlink()
    intruder.done()
    assert verify().verdict is Verdict.WEAKENED


def test_edited_hints_in_the_file_blame_no_entry(signed: int, verify: Verify, intruder: Intruder) -> None:
    wrong = Entry.objects.get(seq=6).hash
    intruder.file().write_text(intruder.file().read_text().replace(wrong, "0" * 64))
    intruder.done()
    report = verify()
    assert (report.verdict, report.first_bad) == (Verdict.WEAKENED, 0)
    assert "was edited" in report.weaknesses[0]


def test_heads_signed_by_another_key_prove_nothing(signed: int, verify: Verify, intruder: Intruder) -> None:
    intruder.change(2, actor="mallory")
    intruder.recompute(2)
    intruder.remove_signed_heads()
    intruder.file().unlink()
    LogKey().sign()
    intruder.done()
    report = verify()
    assert (report.verdict, report.proven_to) == (Verdict.WEAKENED, 0)
    assert "not this server's log key" in report.weaknesses[0]


def test_a_forged_signature_is_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    other = SignedHead.objects.get(seq=4)
    intruder.sql("UPDATE activity_signedhead SET signature = %s WHERE seq = 9", bytes(other.signature))
    report = verify()
    assert any("does not verify, first at entry 9" in text for text in report.weaknesses)


def test_missing_triggers_are_found(signed: int, verify: Verify, intruder: Intruder) -> None:
    report = verify()
    assert report.verdict is Verdict.WEAKENED
    assert "activity_entry_" in report.weaknesses[-1]
    intruder.done()
    assert verify().verdict is Verdict.INTACT


def test_old_entries_without_a_signed_head_are_found(
    append: Append, verify: Verify, intruder: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(3)
    intruder.done()
    assert verify().verdict is Verdict.INTACT
    later = clock.now() + timedelta(minutes=20)
    monkeypatch.setattr("console.lib.clock.now", lambda: later)
    assert "Entry 1 of" in verify().weaknesses[0]


def test_without_a_log_key_nothing_is_proven(signed: int) -> None:
    report = verification.verify(set())
    assert (report.verdict, report.proven_to) == (Verdict.WEAKENED, 0)
    assert "no log key" in report.weaknesses[0]


def test_reads_in_parts_whatever_their_size(
    signed: int, verify: Verify, intruder: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    intruder.done()
    monkeypatch.setattr(verification, "CHUNK", 5)
    monkeypatch.setattr("console.activity.evidence.CHUNK", 1)
    seen: list[tuple[int, int]] = []
    report = verification.verify({bytes(SignedHead.objects.all()[0].public_key)}, lambda *step: seen.append(step))
    assert (report.verdict, report.heads) == (Verdict.INTACT, 2)
    assert seen == [(5, 12), (10, 12), (12, 12)]


def test_entries_written_while_it_reads_are_no_finding(
    signed: int, append: Append, log_key: LogKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "CHUNK", 6)

    def meanwhile(done: int, _total: int) -> None:
        if done == 6:
            append(2)
            log_key.sign()

    report = verification.verify({log_key.spki}, meanwhile)
    assert (report.verdict, report.entries, report.first_bad) == (Verdict.INTACT, 14, 0)


def test_every_line_of_the_file_is_read_one_at_a_time(signed: int) -> None:
    found = headfile.lines()
    first = next(found)
    assert isinstance(first, headfile.HeadLine)
    assert first.seq == 4
