"""A console to measure on: a state folder on the disk, a database with everything set up, perhaps real processes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.core.management import call_command

if TYPE_CHECKING:
    from django.db.models import Model

    from tests.fixtures.listener import Listener
    from tests.fixtures.processes import Workers


@contextmanager
def console(database_url: str | None = None) -> Iterator[Path]:
    """Set a console up in this process and yield its folder: once in a process, Django allows no second time.

    The folder is on the disk, where a commit costs what it costs.
    """
    folder = Path(tempfile.mkdtemp(prefix="keystead-bench-"))
    state = folder / "var"
    (state / "static").mkdir(mode=0o700, parents=True)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="console.settings",
        KEYSTEAD_STATE_DIR=str(state),
        KEYSTEAD_SERVER_NAME="bench.example.com",
        KEYSTEAD_LOG_LEVEL="ERROR",
        DATABASE_URL=database_url or f"sqlite:///{state / 'keystead.db'}",
        BROKER_URL="memory://",
        SECRET_KEY="only-for-measuring-0123456789-0123456789-0123456789",
    )
    try:
        django.setup()
        for command in ("migrate", "createcachetable", "collectstatic"):
            call_command(command, verbosity=0, **({} if command == "createcachetable" else {"interactive": False}))
        call_command("setup", stdout=(folder / "setup.log").open("w"))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def without_indexes(model: "type[Model]") -> Iterator[None]:
    """Make a table's indexes after what is written inside: for a million rows that takes a fraction of the time."""
    from django.db import connection

    with connection.schema_editor() as editor:
        for index in model._meta.indexes:
            editor.remove_index(model, index)
    yield
    with connection.schema_editor() as editor:
        for index in model._meta.indexes:
            editor.add_index(model, index)


def copy_database() -> str:
    """Copy this console's database as it is now; return the name of the copy, for `use_database`."""
    import psycopg
    from django.db import connection
    from psycopg import sql

    name = str(connection.settings_dict["NAME"])
    copy = f"{name}-copy"
    connection.close()
    if connection.vendor == "sqlite":
        shutil.copyfile(name, copy)
    else:
        parameters: dict[str, Any] = {**connection.get_connection_params(), "dbname": "postgres"}
        with psycopg.connect(**parameters, autocommit=True) as elsewhere:
            elsewhere.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (copy, name))))
    return copy


def use_database(name: str) -> None:
    """Go on with this database."""
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = name


@contextmanager
def workers(folder: Path, application: str = "console") -> "Iterator[Workers]":
    """Start a broker, and yield what starts workers and beats on this console's database."""
    from console.servers.current import current
    from tests.fixtures.processes import Workers, make_broker, sending_to

    broker = make_broker(folder)
    broker.start()
    made = Workers(folder, {**os.environ, "BROKER_URL": broker.url}, current(), application)
    try:
        with sending_to(broker.url):
            yield made
    finally:
        made.stop()
        broker.stop()


@contextmanager
def listener(folder: Path) -> "Iterator[Listener]":
    """Start the listener of a console with two processes, and yield it."""
    from console.servers.current import current
    from tests.fixtures.listener import make_listener

    made = make_listener(folder, folder / "var", current(), KEYSTEAD_LISTENER_PROCESSES="2", KEYSTEAD_LOG_LEVEL="ERROR")
    made.start()
    try:
        yield made
    finally:
        made.stop()
