"""Whether this web process lives, and whether it could serve: for load balancers and supervisors, without sign-in."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError

from console.celery import app

BROKER_TIMEOUT_S = 2


def database() -> bool:
    """Whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def migrations() -> bool:
    """Whether the database has every table that this version needs."""
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def broker() -> bool:
    """Whether the broker takes messages."""
    try:
        with app.connection_for_write(connect_timeout=BROKER_TIMEOUT_S) as link:
            link.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_TIMEOUT_S)
    except (OperationalError, OSError):
        return False
    return True


CHECKS: dict[str, Callable[[], bool]] = {"database": database, "migrations": migrations, "broker": broker}


def ready() -> dict[str, bool]:
    """Return each check's result; names only, nothing about how the parts are reached."""
    return {name: check() for name, check in CHECKS.items()}
