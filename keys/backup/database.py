"""The platform database as portable lines of JSON, the same from SQLite and from PostgreSQL.

Not a file copy and not pg_dump: an archive must not depend on the kind or the version of a database server, nor on
its tools being there. Django's own serialiser turns rows into lines and back. What is not in an archive: sessions
(everybody signs in again), the cache, and a backup's passphrase.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.management.color import no_style
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from console.activity import triggers
from keys.models.backup import Backup

LEFT_OUT = {"sessions.Session", "usersessions.UserSession"}
BATCH = 500
PART_BYTES = 4 * 1024 * 1024


class Encoder(DjangoJSONEncoder):
    """Keeps the microseconds of times, which Django's own cuts to milliseconds: the activity log hashes them."""

    def default(self, o: Any) -> Any:
        """Return an aware time as ISO 8601, everything else as Django does."""
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def dumped_models() -> list[type[Model]]:
    """Return the models whose rows are in an archive."""
    found = apps.get_models(include_auto_created=False)
    return [model for model in found if model._meta.managed and model._meta.label not in LEFT_OUT]


def migrations() -> dict[str, str]:
    """Return the last migration of each app: archives are restored by the version that made them."""
    return dict(sorted(MigrationLoader(None).graph.leaf_nodes()))


@contextmanager
def snapshot() -> Iterator[None]:
    """See one state of the database throughout the block, which must not write; others write meanwhile."""
    if connection.vendor == "postgresql":
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SELECT 1 FROM servers_server")
            yield
        return
    # Not `atomic`: it takes SQLite's one place for a writer, and everybody else would wait.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            cursor.execute("SELECT 1 FROM servers_server")  # a deferred transaction sees the state of its first read
            yield
        finally:
            cursor.execute("ROLLBACK")


def dump() -> Iterator[bytes]:
    """Yield the rows as JSON lines in UTF-8, some megabytes at a time."""
    part: list[str] = []
    size = 0
    for model in dumped_models():
        rows = model._base_manager.order_by("pk").iterator(chunk_size=BATCH)
        for batch in _batches(rows):
            lines = serializers.serialize("jsonl", [_for_archive(row) for row in batch], cls=Encoder)
            part.append(lines)
            size += len(lines)
            if size >= PART_BYTES:
                yield "".join(part).encode()
                part, size = [], 0
    if part:
        yield "".join(part).encode()


def replace_everything(parts: Iterable[bytes]) -> int:
    """Put the rows of an archive in the place of all that is there, in one transaction; return their number.

    The database's own guards (the append-only log, reserved roles) are off inside this transaction only.
    """
    count = 0
    with transaction.atomic():
        with _guards_off():
            _empty_tables()
            for part in parts:
                count += _load(part)
            Backup.objects.update(sealed_passphrase=None)
            connection.check_constraints()
        triggers.install(connection)  # whatever was there before
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), dumped_models()):
                cursor.execute(statement)
    ContentType.objects.clear_cache()
    return count


@contextmanager
def _guards_off() -> Iterator[None]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in _tables():
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            for table in _tables():
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        guards = cursor.fetchall()
        for name, _ in guards:
            cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
        yield
        for _, statement in guards:
            cursor.execute(statement)


def _load(part: bytes) -> int:
    found = serializers.deserialize("jsonl", part.decode())
    count = 0
    for model, objects in groupby(found, key=lambda one: type(one.object)):
        for batch in _batches(objects):
            count += len(batch)
            if _is_plain(model):
                model._base_manager.bulk_create([one.object for one in batch])
            else:
                for one in batch:
                    one.save()
    return count


def _is_plain(model: type[Model]) -> bool:
    # bulk_create would put the present time into auto_now columns, and knows no many-to-many.
    automatic = any(
        getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False) for field in model._meta.fields
    )
    return not automatic and not model._meta.many_to_many


def _empty_tables() -> None:
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables


def _tables() -> list[str]:
    found = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    return [connection.ops.quote_name(table) for table in sorted(found)]


def _for_archive(row: Model) -> Model:
    if isinstance(row, Backup):
        row.sealed_passphrase = None
    return row


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
