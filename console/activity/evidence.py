"""Signed heads as evidence: read from the database and from this server's file, side by side, in order.

Only a head whose signature was made by a log key that the *key store* names counts as proof: a key that stands
beside the signature could have been put there by whoever changed the log.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby

from django.conf import settings

from console.activity import headfile
from console.activity.headfile import HeadLine
from console.activity.heads import message, verify_signature
from console.activity.models import SignedHead

CHUNK = 500

Head = SignedHead | HeadLine


@dataclass(frozen=True)
class Proof:
    """The log had this hash at this entry. `hashes` of the entries before it are a hint, no proof."""

    seq: int
    hash: str
    hashes: tuple[str, ...] = ()

    def hint(self, seq: int) -> str | None:
        """Return the hash that an entry had when the head was signed, where it is known."""
        at = len(self.hashes) - 1 - (self.seq - seq)
        return self.hashes[at] if 0 <= at < len(self.hashes) else None


@dataclass
class Tally:
    """How often something was found, and where first."""

    first: int = 0
    count: int = 0

    def add(self, seq: int) -> None:
        """Count one more."""
        self.first = self.first or seq
        self.count += 1


@dataclass
class Evidence:
    """What the heads say. The tallies are filled while `proofs` is read to its end."""

    trusted: Collection[bytes]
    proven: int = 0
    foreign: int = 0
    damaged: Tally = field(default_factory=Tally)
    forged: Tally = field(default_factory=Tally)
    strange_key: Tally = field(default_factory=Tally)
    not_in_file: Tally = field(default_factory=Tally)
    not_in_database: Tally = field(default_factory=Tally)

    def proofs(self) -> Iterator[Proof]:
        """Yield each proven head once, lowest first; two that contradict each other are both yielded."""
        streams = merge(self._database(), self._file(), key=lambda found: found.seq)
        for _seq, found in groupby(streams, key=lambda head: head.seq):
            yield from self._judge(list(found))

    def _judge(self, found: list[Head]) -> Iterator[Proof]:
        own = [head for head in found if head.server == settings.SERVER_NAME]
        self.foreign += len(found) - len(own)
        self._compare(own)
        good: dict[str, Proof] = {}
        # The two copies of a head are the same bytes, so one signature is checked for both.
        holds: dict[tuple[bytes, bytes, bytes], bool] = {}
        for head in own:
            copy = (bytes(head.public_key), bytes(head.signature), message(head))
            if copy not in holds:
                holds[copy] = self._holds(head)
            if holds[copy]:
                hashes = head.hashes if isinstance(head, HeadLine) else ()
                good[head.hash] = Proof(head.seq, head.hash, hashes or good.get(head.hash, Proof(0, "")).hashes)
        self.proven += bool(good)
        yield from good.values()

    def _compare(self, own: list[Head]) -> None:
        places = {type(head) for head in own}
        if places == {SignedHead}:
            self.not_in_file.add(own[0].seq)
        elif places == {HeadLine}:
            self.not_in_database.add(own[0].seq)

    def _holds(self, head: Head) -> bool:
        if bytes(head.public_key) not in self.trusted:
            self.strange_key.add(head.seq)
        elif not verify_signature(head):
            self.forged.add(head.seq)
        else:
            return True
        return False

    def _database(self) -> Iterator[Head]:
        last = (-1, -1)
        while True:
            rows = list(
                SignedHead.objects.filter(seq__gte=last[0]).order_by("seq", "id")[: CHUNK + 1]
                if last[0] >= 0
                else SignedHead.objects.order_by("seq", "id")[:CHUNK]
            )
            new = [row for row in rows if (row.seq, row.pk) > last]
            if not new:
                return
            yield from new
            last = (new[-1].seq, new[-1].pk)

    def _file(self) -> Iterator[Head]:
        last = 0
        for found in headfile.lines():
            if isinstance(found, headfile.DamagedLine):
                self.damaged.add(found.number)
            elif found.seq <= last:
                self.damaged.add(found.seq)  # a file that is only appended to has no such line
            else:
                last = found.seq
                yield found
