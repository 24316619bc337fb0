"""A log key that signs heads, and hands that change the log behind the console's back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection, transaction

from console.activity import headfile, heads, log, triggers
from console.activity.models import Entry, Head, SignedHead
from console.lib.actor import Actor, ActorKind
from console.lib.subject import Subject

ANN = Actor(ActorKind.USER, "ann", "1")


class LogKey:
    """Stands for the key in pki.db."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def spki(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self) -> int:
        """Sign the head as the worker does; return its sequence, 0 when nothing is due."""
        head = heads.due()
        if head is None:
            return 0
        signature = self.private.sign(heads.message(head), ec.ECDSA(SHA256()))
        heads.record(head, signature=signature, public_key=self.spki)
        return head.seq


@pytest.fixture
def log_key(server: object) -> LogKey:
    return LogKey()


@pytest.fixture
def append(db: None) -> Callable[[int], list[Entry]]:
    def make(count: int) -> list[Entry]:
        found = []
        for number in range(count):
            with transaction.atomic():
                subject = Subject("root-key", str(number), f"ts1 Root {number}")
                found.append(log.append("test.done", subject, actor=ANN, details={"number": number}))
        return found

    return make


@dataclass
class Intruder:
    """Owns the database and the host's files, but not the log key."""

    def __post_init__(self) -> None:
        triggers.remove(connection)

    def sql(self, statement: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)

    def change(self, at_seq: int, /, **values: Any) -> None:
        for column, value in values.items():
            # S608: the columns stand in the tests.
            self.sql(f"UPDATE activity_entry SET {column} = %s WHERE seq = %s", value, at_seq)  # noqa: S608

    def remove(self, seq: int) -> None:
        self.sql("DELETE FROM activity_entry WHERE seq = %s", seq)

    def recompute(self, first: int) -> None:
        """Make the chain fit again from an entry on, head row included."""
        previous = Entry.objects.filter(seq__lt=first).order_by("-seq").first()
        before = previous.hash if previous else "0" * 64
        for entry in Entry.objects.filter(seq__gte=first).order_by("seq"):
            entry.previous_hash = before
            before = entry.computed_hash()
            self.change(entry.seq, previous_hash=entry.previous_hash, hash=before)
        last = Entry.objects.order_by("-seq").first()
        Head.objects.update(seq=last.seq if last else 0, hash=before)

    def cut_tail(self, first: int) -> None:
        """Remove the entries from one on, and set the head row back."""
        self.sql("DELETE FROM activity_entry WHERE seq >= %s", first)
        last = Entry.objects.order_by("-seq").first()
        Head.objects.update(seq=last.seq if last else 0, hash=last.hash if last else "0" * 64)

    def remove_signed_heads(self, first: int = 0) -> None:
        self.sql("DELETE FROM activity_signedhead WHERE seq >= %s", first)

    def file(self) -> Path:
        return headfile.path()

    def done(self) -> None:
        triggers.install(connection)


@pytest.fixture
def intruder(append: object) -> Intruder:
    return Intruder()


@pytest.fixture
def signed_heads(db: None) -> Callable[[], list[int]]:
    return lambda: list(SignedHead.objects.order_by("seq").values_list("seq", flat=True))
