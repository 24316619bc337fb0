"""Signed heads: what makes the log provable up to a moment. Signing itself is done by who holds the log key.

head = heads.due()
if head: heads.record(head, signature=sign(heads.message(head)), public_key=spki_der)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db import transaction

from console.activity import headfile, log
from console.activity.actions import Action
from console.activity.headfile import HeadLine
from console.activity.models import Entry, Head, SignedHead
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import canonical_json
from console.lib.subject import Subject

LOG = Subject("activity-log", "", "Activity log")
MOST_HASHES = 5_000  # in one line; older entries of a longer run are named by their range only


class Unsigned(Protocol):
    """What a signature over a head covers."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def server(self) -> str: ...  # noqa: D102
    @property
    def signed_at(self) -> datetime: ...  # noqa: D102


class Signed(Unsigned, Protocol):
    """A head with its signature, wherever it is kept; `public_key` is DER SubjectPublicKeyInfo."""

    @property
    def public_key(self) -> bytes | memoryview: ...  # noqa: D102
    @property
    def signature(self) -> bytes | memoryview: ...  # noqa: D102


@dataclass(frozen=True)
class HeadToSign:
    """The head of the log at one moment."""

    seq: int
    hash: str
    server: str
    signed_at: datetime


def due() -> HeadToSign | None:
    """Return the head when this server has not signed it yet, else None."""
    head = Head.objects.get(pk=1)
    last = SignedHead.objects.filter(server=settings.SERVER_NAME).order_by("-seq").first()
    if head.seq == 0 or (last is not None and last.seq >= head.seq):
        return None
    return HeadToSign(head.seq, head.hash, settings.SERVER_NAME, clock.now())


def message(head: Unsigned) -> bytes:
    """Return the bytes that the log key signs (ECDSA with SHA-256)."""
    covered = {"seq": head.seq, "hash": head.hash, "server": head.server, "signed_at": head.signed_at}
    return canonical_json({"purpose": "keystead activity head 1", **covered})


def verify_signature(head: Signed) -> bool:
    """Tell whether the head's own public key made its signature; whether that key is ours is not checked."""
    try:
        key = load_der_public_key(bytes(head.public_key))
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(bytes(head.signature), message(head), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def record(head: HeadToSign, *, signature: bytes, public_key: bytes) -> None:
    """Keep a signed head in the database and in the file; a head that is already kept is left alone.

    Raises ValueError when the signature does not verify, so that no useless proof is ever kept.
    """
    row = SignedHead(
        seq=head.seq,
        hash=head.hash,
        server=head.server,
        signed_at=head.signed_at,
        public_key=public_key,
        signature=signature,
    )
    if not verify_signature(row):
        raise ValueError("The signature over the head of the activity log does not verify.")
    # The lock of the file spans both writes: whoever holds it sees a head in both places or in none.
    with headfile.locked() as file:
        SignedHead.objects.bulk_create([row], ignore_conflicts=True)
        missed = _complete(file, head.seq)
    if missed:
        with transaction.atomic():
            details = {"added": missed, "file": headfile.NAME}
            log.append(Action.EVIDENCE_COMPLETED, LOG, actor=Actor.system("log"), details=details)


def _complete(file: headfile.Writer, seq: int) -> int:
    """Append every head of this server that the file lacks at its end; return how many came before `seq`.

    More than one is missing after a crash between database and file, after a restore, or when somebody cut the
    file: it is made whole from the database, and the log says so.
    """
    written = file.last_seq()
    earlier = 0
    missing = SignedHead.objects.filter(server=settings.SERVER_NAME, seq__gt=written).order_by("seq")
    for row in missing.iterator(chunk_size=500):
        file.append([_line(row, since=written)])
        written = row.seq
        earlier += row.seq < seq
    return earlier


def _line(row: SignedHead, *, since: int) -> HeadLine:
    first = max(since, row.seq - MOST_HASHES)
    between = Entry.objects.filter(seq__gt=first, seq__lte=row.seq).order_by("seq")
    return HeadLine(
        seq=row.seq,
        hash=row.hash,
        server=row.server,
        signed_at=row.signed_at,
        public_key=bytes(row.public_key),
        signature=bytes(row.signature),
        hashes=tuple(between.values_list("hash", flat=True)),
    )


_trusted: list[Callable[[], Iterable[bytes]]] = []


def register_log_keys(source: Callable[[], Iterable[bytes]]) -> None:
    """Name who knows this server's log keys: the key store, never the log itself.

    Called once at start-up. `source` is asked in the worker only, and yields DER SubjectPublicKeyInfo.
    """
    _trusted[:] = [source]


def trusted_keys() -> Iterator[bytes]:
    """Yield the public halves that may sign this server's heads; nothing when no source is registered."""
    for source in _trusted:
        yield from source()
