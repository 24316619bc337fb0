"""A rotation of 1,000 simulated clients, from Create New Key until nobody needs the old root, and what it costs.

Real processes on PostgreSQL with every commit on the disk: listener, worker, beat; clients with real keys and TLS, in
this process. Their clocks run ahead, so that nobody waits for what is due later; a client's own seconds are those that
passed on its clock, work and waiting together. So few move as fast as they can; on paper 1,000,000 move as fast as the
server lets them, and each costs what it cost here, where every request has a TLS connection of its own.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import stage
from tests import postgres

if TYPE_CHECKING:
    from keys.models.root import Root
    from tests.fixtures.listener import Listener
    from tests.fleet.simulator import Fleet, Member

CLIENTS = 1_000
ON_PAPER = 1_000_000
WAIT_S = 300
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What was used so far: seconds of processor, by what started them, and work of the database."""

    listener_s: float
    worker_s: float
    commits: int
    written: int
    requests: int


def measure() -> dict[str, float]:
    """Return how long it took, and the load meanwhile."""
    with (
        postgres.cluster(durable=True) as url,
        stage.console(url) as folder,
        stage.workers(folder) as workers,
        stage.listener(folder) as listener,
    ):
        worker = workers.worker()
        workers.beat()
        with tempfile.TemporaryDirectory(prefix="keystead-fleet-") as clients:
            fleet = _fleet(Path(clients), folder, listener)
            enrolling_s = _enrol(fleet)
            assert worker.running
            pids = (_pid(listener), worker.running.pid)
            before, began = _load(fleet, *pids), time.perf_counter()
            own_began = [member.clock() for member in fleet.members]
            old, new = _create_new_key()
            told_s = time.perf_counter() - began
            moved = _move(fleet, new)
            _wait_until_ready(old)
            ready_s = time.perf_counter() - began
            after = _load(fleet, *pids)
            own_s = [(end - begin).total_seconds() for begin, end in zip(own_began, moved, strict=True)]
            within_s = _within_s(ON_PAPER)
    used = after.listener_s - before.listener_s
    return {
        "clients": float(CLIENTS),
        "enrolling and registering them all, s": enrolling_s,
        "Create New Key until clients are told, s": told_s,
        "Create New Key until everyone is ready, s of work": ready_s,
        "by a client's own clock, median s": statistics.median(own_s),
        "by a client's own clock, longest s": max(own_s),
        "requests for each client": (after.requests - before.requests) / CLIENTS,
        "listener: s of processor": used,
        "worker: s of processor": after.worker_s - before.worker_s,
        "database: transactions": float(after.commits - before.commits),
        "database: rows written": float(after.written - before.written),
        "on paper: 1,000,000 clients move within, h": within_s / 3600,
        "on paper: cores of the listener meanwhile": used / CLIENTS * ON_PAPER / within_s,
    }


def _fleet(clients: Path, folder: Path, listener: "Listener") -> "Fleet":
    from console.lib.actor import Actor
    from console.servers.current import current
    from tests.fleet.simulator import Fleet
    from trust.infrastructure import writing
    from trust.infrastructure.credentials import Limits
    from trust.infrastructure.files import Wanted
    from trust.wire.initfile import Address

    path = folder / "keystead-init.dat"
    writing.write(path, Wanted(token=current().pk, limits=Limits(most_uses=CLIENTS)), actor=Actor.system())
    fleet = Fleet(clients, path.read_bytes(), connect=Address(listener.address, listener.port, 0))
    fleet.begin(*(f"pc-{number:04}.example.com" for number in range(CLIENTS)))
    return fleet


def _enrol(fleet: "Fleet") -> float:
    from tests.fleet.simulator import Member
    from trust.models.documents import SignedDocument

    _wait(SignedDocument.objects.exists, "the first documents")
    began = time.perf_counter()
    assert all(fleet.each(Member.contact))
    return time.perf_counter() - began


def _create_new_key() -> "tuple[Root, Root]":
    """Do what the button does, and wait until the trust list names the new root and the intermediate is below it."""
    import uuid

    from console.lib.actor import Actor
    from console.servers.current import current
    from keys import roots
    from keys.models.statements import CrossCertificate
    from keys.models.subordinate import Subordinate, SubordinateState
    from keys.purposes import Purpose
    from trust.issuing import places
    from trust.publishing.latest import latest
    from trust.wire.documents import TrustList, decode

    old = roots.newest(current())
    assert old
    new, _ = roots.request(actor=Actor.system(), form_token=uuid.uuid4())

    def told() -> bool:
        new.refresh_from_db()
        if not (new.is_active and CrossCertificate.objects.filter(issuer=old, subject=new).exists()):
            return False
        listed = latest(current()).trust_list
        return listed is not None and len(decode(bytes(listed.payload), TrustList).roots) > 1

    _wait(told, "the trust list with the new root")
    below = Subordinate.objects.filter(root=new, purpose=Purpose.CLIENT_TLS_CA, state=SubordinateState.ACTIVE)

    def filed() -> bool:
        made = below.values_list("activated_at", flat=True).first()
        return made is not None and places.issuing_file().stat().st_mtime > made.timestamp()

    _wait(filed, "the keys below it at the listener")
    return old, new


def _move(fleet: "Fleet", new: "Root") -> list[datetime]:
    """Let every client follow and say so; return when each had done so, by its own clock."""

    def follow(member: "Member") -> datetime:
        assert member.until(lambda: member.root == new.fingerprint)
        assert member.contact()
        return member.clock()

    return fleet.each(follow)


def _within_s(clients: int) -> int:
    """Return over how long the server has so many clients move."""
    from trust.clients.handing_out import LONGEST_MOVE_S, MOVES_PER_SECOND

    return min(clients // MOVES_PER_SECOND, LONGEST_MOVE_S)


def _wait_until_ready(old: "Root") -> None:
    from console.lib import clock
    from console.servers.current import current
    from keys.models.root import RevocationReason
    from trust.clients import dependence

    def ready() -> bool:
        now = clock.now()
        known = dependence.world(current())
        return dependence.needs(dependence.groups(now), known, old, RevocationReason.POLICY, now).number == 0

    _wait(ready, "everyone to be ready")


def _wait(condition: Callable[[], bool], what: str) -> None:
    from tests.fixtures.processes import wait_for

    wait_for(condition, WAIT_S, what, every_s=0.1)


def _load(fleet: "Fleet", listener: int, worker: int) -> Load:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database "
            "WHERE datname = current_database()"
        )
        commits, written = cursor.fetchone()
    requests = sum(member.line.requests for member in fleet.members)
    return Load(_used_s(listener), _used_s(worker), commits, written, requests)


def _pid(listener: "Listener") -> int:
    assert listener.running
    return listener.running.pid


def _used_s(group: int) -> float:
    """Return the seconds of processor of a process group, its children that ended included."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS
