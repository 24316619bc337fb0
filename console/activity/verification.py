"""Verify the activity log, docs/design.md §6.

Any change up to the last signed head is found, the first bad entry named. Newer entries are chained only, and the
report says how many. Rows of other apps that an entry stands for are checked by them (`annexes`). Everything is read in
parts, so that a log of millions of entries needs no more memory than one of hundreds.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, connection

from console.activity import annexes, chain, headfile, heads, triggers
from console.activity.evidence import Evidence, Proof, Tally
from console.activity.models import Entry, Head, SignedHead
from console.lib import clock, durations

CHUNK = 2_000
SIGNED_WITHIN = timedelta(minutes=15)
COLUMNS = (*chain.FIELDS, "previous_hash", "hash")


class Verdict(StrEnum):
    """INTACT: nothing found. WEAKENED: entries hold, but what proves them is damaged. ALTERED: entries do not."""

    INTACT = "intact"
    WEAKENED = "weakened"
    ALTERED = "altered"


@dataclass
class Report:
    """What was found. `proven_to`: the last entry that a signed head proves; `chained_only`: how many follow it."""

    entries: int = 0
    proven_to: int = 0
    chained_only: int = 0
    heads: int = 0
    first_bad: int = 0
    what: str = ""
    weaknesses: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The outcome in one word."""
        if self.first_bad:
            return Verdict.ALTERED
        return Verdict.WEAKENED if self.weaknesses else Verdict.INTACT

    def as_json(self) -> dict[str, Any]:
        """Return everything, for the job's result and the log."""
        return asdict(self) | {"verdict": str(self.verdict)}


def summary(report: Report) -> str:
    """Return the good outcome in a sentence."""
    if not report.entries:
        return "The log is empty."
    if not report.proven_to:
        return f"All {report.entries:,} entries hold together. No head has been signed yet, so they are chained only."
    newer = f" {report.chained_only:,} newer entries are chained only." if report.chained_only else ""
    return f"Nothing was changed up to entry {report.proven_to:,}, the last signed head.{newer}"


@dataclass(frozen=True)
class Bad:
    """The first entry that is not what it was; `exact` is False where an earlier one may be meant."""

    seq: int
    what: str


Progress = Callable[[int, int], None]


def verify(trusted: set[bytes], progress: Progress = lambda _done, _total: None) -> Report:
    """Check chain, signed heads and triggers; `trusted` are the log keys of this server (DER public keys)."""
    report = Report()
    evidence = Evidence(trusted)
    walk = _Walk(evidence.proofs())
    bad = walk.to_end(progress)
    report.entries = walk.last_seq
    report.proven_to = walk.proven_to
    report.chained_only = walk.last_seq - walk.proven_to
    if bad is not None:
        report.first_bad, report.what = bad.seq, bad.what
        report.chained_only = 0
    walk.drain()
    report.heads = evidence.proven
    report.weaknesses = [*_weaknesses(evidence, trusted), *_edited_hints(walk.edited_hints), *_missing_triggers()]
    if bad is None:
        report.weaknesses += _unsigned(report.proven_to)
    report.weaknesses += annexes.findings()
    return report


@dataclass
class _Walk:
    """Goes through the entries in order, with the proofs beside them."""

    proofs: Iterator[Proof]
    last_seq: int = 0
    last_hash: str = chain.GENESIS
    proven_to: int = 0
    hint_differs: int = 0
    edited_hints: Tally = field(default_factory=Tally)
    ahead: Proof | None = None

    def to_end(self, progress: Progress) -> Bad | None:
        """Return the first bad entry, or None at the end of a log that holds."""
        self.ahead = next(self.proofs, None)
        while True:
            total = _head().seq
            for row in _entries(self.last_seq):
                if bad := self._step(row):
                    return bad
                if self.last_seq % CHUNK == 0:
                    progress(self.last_seq, total)
            head = _head()
            if head.seq > self.last_seq and Entry.objects.filter(seq__gt=self.last_seq).exists():
                continue  # appended meanwhile
            progress(self.last_seq, self.last_seq)
            return self._end(head)

    def drain(self) -> None:
        """Read the rest of the proofs, so that every head is judged."""
        for _proof in self.proofs:
            pass

    def _step(self, row: "tuple[Any, ...] | _Unreadable") -> Bad | None:
        expected = self.last_seq + 1
        if isinstance(row, _Unreadable):
            return Bad(row.seq, f"Entry {row.seq} holds a value that cannot be read: it was changed.")
        *values, previous, stored = row
        fields = dict(zip(chain.FIELDS, values, strict=True))
        if bad := _number(fields["seq"], expected):
            return bad
        differs = self._differs_from_hint(expected, stored)
        if _hash(previous, fields) != stored:
            return self._bad(expected, f"Entry {expected} was changed: its hash does not fit what it says.")
        if previous != self.last_hash:
            return self._unlinked(expected)
        if differs:
            self.hint_differs = self.hint_differs or expected
        self.last_seq, self.last_hash = expected, stored
        return self._prove()

    def _prove(self) -> Bad | None:
        """Compare with every head that was signed at this entry."""
        while self.ahead is not None and self.ahead.seq <= self.last_seq:
            if self.ahead.hash != self.last_hash:
                return self._recomputed()
            if self.hint_differs:
                self.edited_hints.add(self.ahead.seq)
                self.hint_differs = 0
            self.proven_to = self.last_seq
            self.ahead = next(self.proofs, None)
        return None

    def _end(self, head: Head) -> Bad | None:
        if self.ahead is not None:
            return self._cut(self.ahead.seq, "a signed head proves that they were there")
        if head.seq > self.last_seq:
            return self._cut(head.seq, "the head of the log still counts them")
        if head.seq < self.last_seq:
            first = max(head.seq, 0) + 1
            return Bad(first, f"Entry {first} was inserted: the head of the log ends before it.")
        if head.hash != self.last_hash:
            return self._bad(self.last_seq, f"Entry {self.last_seq} is not the one that the head of the log names.")
        return None

    def _cut(self, last: int, why: str) -> Bad:
        first = self.last_seq + 1
        missing = f"Entry {first} is" if last == first else f"Entries {first} to {last} are"
        return Bad(first, f"{missing} missing at the end of the log: {why}.")

    def _unlinked(self, seq: int) -> Bad:
        first = max(seq - 1, 1)
        text = f"Entry {first} is not the one that entry {seq} was chained to: it was changed, or replaced."
        if seq == 1:
            text = "Entry 1 does not begin the chain: it was changed, or entries before it were removed."
        return self._bad(first, text)

    def _recomputed(self) -> Bad:
        first, last = self.proven_to + 1, self.last_seq
        if self.hint_differs:
            first = self.hint_differs
            text = f"Entry {first} was changed, and the hashes from there on were computed anew"
        elif first == last:
            text = f"Entry {first} was changed, and its hash was computed anew"
        else:
            text = f"Entry {first}, or one after it up to {last}, was changed, and the hashes computed anew"
        return Bad(first, f"{text}: the signed head at entry {last} does not match.")

    def _bad(self, seq: int, text: str) -> Bad:
        """Name the earlier entry whose hash differs from the one in the file of signed heads, if there is one."""
        if self.hint_differs and self.hint_differs < seq:
            first = self.hint_differs
            return Bad(first, f"Entry {first} was changed, and its hash was computed anew. {text}")
        return Bad(seq, text)

    def _differs_from_hint(self, seq: int, stored: str) -> bool:
        hint = self.ahead.hint(seq) if self.ahead else None
        return hint is not None and hint != stored


@dataclass(frozen=True)
class _Unreadable:
    seq: int


def _entries(after: int) -> Iterator[tuple[Any, ...] | _Unreadable]:
    """Yield the entries after a sequence, in order; from the lowest one when `after` is 0."""
    last: int | None = after or None
    while True:
        rows = Entry.objects.order_by("seq") if last is None else Entry.objects.filter(seq__gt=last).order_by("seq")
        try:
            part: list[tuple[Any, ...] | _Unreadable] = list(rows.values_list(*COLUMNS)[:CHUNK])
        except (ValueError, TypeError, OverflowError, DatabaseError):
            part = _one_by_one(list(rows.values_list("seq", flat=True)[:CHUNK]))
        yield from part
        if len(part) < CHUNK or not isinstance(part[-1], tuple):
            return
        last = part[-1][0]


def _one_by_one(seqs: list[int]) -> list[tuple[Any, ...] | _Unreadable]:
    """Read entries one at a time up to the one whose values no longer have their types."""
    found: list[tuple[Any, ...] | _Unreadable] = []
    for seq in seqs:
        try:
            found.append(Entry.objects.values_list(*COLUMNS).get(seq=seq))
        except (ValueError, TypeError, OverflowError, DatabaseError):
            return [*found, _Unreadable(seq)]
    return found


def _hash(previous: str, fields: dict[str, Any]) -> str:
    try:
        return chain.entry_hash(previous, fields)
    except (TypeError, ValueError, AttributeError):
        return ""  # a value of another type than the console writes


def _number(seq: Any, expected: int) -> Bad | None:
    if seq == expected:
        return None
    if not isinstance(seq, int) or seq < expected:
        return Bad(expected, f"An entry with the number {seq} was inserted before entry {expected}.")
    missing = f"Entry {expected} is" if seq == expected + 1 else f"Entries {expected} to {seq - 1} are"
    return Bad(expected, f"{missing} missing: removed from the middle of the log.")


def _head() -> Head:
    return Head.objects.filter(pk=1).first() or Head(seq=0, hash=chain.GENESIS)


def _weaknesses(evidence: Evidence, trusted: set[bytes]) -> Iterator[str]:
    """Say what is wrong with the evidence itself."""
    if not trusted and (evidence.strange_key.count or evidence.foreign):
        yield "This server has no log key, so no signed head could be checked."
    elif tally := _some(evidence.strange_key):
        yield f"{_heads(tally)} with a key that is not this server's log key, first at entry {tally.first}."
    if tally := _some(evidence.forged):
        yield f"{_heads(tally)} with a signature that does not verify, first at entry {tally.first}."
    if tally := _some(evidence.damaged):
        yield f"The file {headfile.NAME} holds {tally.count} damaged or misplaced lines, the first at {tally.first}."
    if (tally := _some(evidence.not_in_file)) and not _now_in_file(tally.first):
        yield f"{_heads(tally)} that the file {headfile.NAME} lacks, first at entry {tally.first}: it was cut."
    if (tally := _some(evidence.not_in_database)) and not _now_in_database(tally.first):
        yield f"{_heads(tally)} that the database lacks, first at entry {tally.first}: rows were deleted."


def _edited_hints(tally: Tally) -> list[str]:
    if not tally.count:
        return []
    return [f"The file {headfile.NAME} was edited: hashes before the head at entry {tally.first} differ."]


def _missing_triggers() -> list[str]:
    missing = triggers.missing(connection)
    return [f"The database does not protect the log: {', '.join(missing)} missing."] if missing else []


def _unsigned(proven_to: int) -> list[str]:
    """Heads are signed every minute: an older entry without one means that signing fails, or that heads are gone."""
    waiting = Entry.objects.filter(seq=proven_to + 1, at__lt=clock.now() - SIGNED_WITHIN).first()
    if waiting is None:
        return []
    text = (
        f"Entry {waiting.seq} of {durations.stamp(waiting.at)} has no signed head, though heads are signed every minute"
    )
    return [f"{text}: signing does not work, or signed heads were removed."]


def _some(tally: Tally) -> Tally | None:
    return tally if tally.count else None


def _heads(tally: Tally) -> str:
    return "There is 1 signed head" if tally.count == 1 else f"There are {tally.count} signed heads"


def _now_in_file(seq: int) -> bool:
    """Look again with the lock held: a head that was being recorded is in both places by now."""
    if not headfile.path().exists():
        return False
    with headfile.locked():
        return any(isinstance(line, headfile.HeadLine) and line.seq == seq for line in headfile.lines())


def _now_in_database(seq: int) -> bool:
    return SignedHead.objects.filter(seq=seq).exists()


def trusted_keys() -> set[bytes]:
    """Return the log keys that the key store of this server names; for the worker."""
    return {bytes(key) for key in heads.trusted_keys()}
