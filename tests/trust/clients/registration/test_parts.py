"""The parts that hold numbers in a process: sightings, the gate of the log, the pace, and new names by address."""

import uuid
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.db import OperationalError

from console.lib import clock
from trust.clients import changes, pace
from trust.clients.newcomers import MOST_A_DAY, MOST_A_MINUTE, MOST_TOGETHER, Newcomers
from trust.clients.pace import Pace
from trust.clients.registration_errors import ReplayedError, TooManyError
from trust.clients.registration_refusals import AGAIN_S, Gate
from trust.clients.registration_refusals import MOST_A_MINUTE as MOST_LINES
from trust.clients.sightings import FORGET_AFTER, WRITE_EVERY, Sighting, Sightings
from trust.models.clients import Client
from trust.wire.messages import HIGHEST_COUNTER

NOW = clock.now()


def client(**columns: object) -> Client:
    return Client(
        **{"pk": uuid.uuid4(), "name": "host-1", "counter": 5, "last_seen": NOW - timedelta(days=1), **columns}
    )


class Disk:
    """Keeps what is written, or refuses it."""

    def __init__(self) -> None:
        self.rows: list[Sighting] = []
        self.broken = False

    def write(self, sightings: Iterable[Sighting]) -> None:
        if self.broken:
            raise OperationalError("away")
        self.rows += sightings


def test_a_client_is_written_once_in_five_minutes() -> None:
    disk = Disk()
    seen, one = Sightings(disk.write), client()
    seen.note(one, 6, NOW)
    assert seen.flush() == 1
    one.last_seen = NOW
    seen.note(one, 7, NOW + WRITE_EVERY - timedelta(seconds=1))
    assert seen.flush() == 0
    seen.note(one, 8, NOW + WRITE_EVERY)
    assert seen.flush() == 1
    assert [row.counter for row in disk.rows] == [6, 8]


def test_what_the_database_did_not_take_is_written_later() -> None:
    disk = Disk()
    seen, one = Sightings(disk.write), client()
    seen.note(one, 6, NOW)
    disk.broken = True
    with pytest.raises(OperationalError):
        seen.flush()
    seen.note(one, 7, NOW + timedelta(seconds=30))
    disk.broken = False
    assert seen.flush() == 1
    assert [row.counter for row in disk.rows] == [7]


def test_the_thread_writes_what_is_left_when_it_is_stopped() -> None:
    disk = Disk()
    seen = Sightings(disk.write)
    seen.start()
    seen.note(client(), 6, NOW)
    seen.stop()
    assert len(disk.rows) == 1


def test_a_replay_is_refused_before_its_counter_is_written() -> None:
    seen, one = Sightings(Disk().write), client()
    seen.note(one, 6, NOW)
    for counter in (5, 6):
        with pytest.raises(ReplayedError) as refused:
            seen.note(one, counter, NOW)
        assert refused.value.counter == 6


def test_counters_of_clients_that_are_gone_are_forgotten() -> None:
    disk = Disk()
    seen, one = Sightings(disk.write), client()
    seen.note(one, 6, NOW)
    seen.flush()
    one.last_seen, one.counter = NOW, 6
    seen.note(one, 7, NOW + timedelta(minutes=4))  # too soon to be written
    seen.sweep(NOW + timedelta(minutes=4) + FORGET_AFTER)
    assert not seen._known
    # Its counter is in the database before it is forgotten here: nobody says the same once more for it.
    seen.flush()
    assert [row.counter for row in disk.rows] == [6, 7]


def test_the_highest_counter_locks_nobody_out() -> None:
    seen, one = Sightings(Disk().write), client()
    seen.note(one, 2**62, NOW)
    seen.note(one, HIGHEST_COUNTER + 1, NOW)


def test_the_log_takes_a_refusal_once_and_says_what_it_left_out() -> None:
    moment = 1000.0
    gate = Gate(lambda: moment)
    assert gate.passes(("host-1",)) == (True, 0)
    assert gate.passes(("host-1",)) == (False, 0)
    passed = sum(gate.passes((f"made-up-{number}",))[0] for number in range(MOST_LINES + 50))
    assert passed == MOST_LINES - 1
    moment += 60
    assert gate.passes(("host-2",)) == (True, 51)
    moment += AGAIN_S
    assert gate.passes(("host-1",))[0]


def test_clients_come_later_while_there_are_too_many() -> None:
    moment = 0.0
    calm = Pace(lambda: moment)
    assert [calm.next_s(lambda below: below - 1), calm.next_s(lambda _below: 0)] == [90, 30]
    for _ in range(10 * pace.COMFORTABLE_RATE):
        calm.next_s(lambda _below: 0)
    assert calm.next_s(lambda _below: 0) >= 300
    moment = 10.0
    assert calm.next_s(lambda _below: 0) == 30


def test_one_address_does_not_bring_names_without_end() -> None:
    moment = 0.0
    new = Newcomers(lambda: moment)
    for _ in range(MOST_A_MINUTE):
        new.count("192.0.2.7")
    with pytest.raises(TooManyError):
        new.count("192.0.2.7")
    new.count("192.0.2.8")
    moment = 60.0
    new.count("192.0.2.7")
    # Not by many addresses of one site, and not day and night.
    with pytest.raises(TooManyError):
        for host in range(MOST_A_MINUTE + 1):
            new.count(f"2001:db8:1:2::{host:x}")
    with pytest.raises(TooManyError, match="today"):
        for _ in range(MOST_A_DAY + 1):
            moment += 60 / MOST_A_MINUTE + 0.01
            new.count("192.0.2.9")


def test_what_one_address_brings_too_many_of_keeps_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Newcomers(lambda: 0.0)
    for number in range(MOST_TOGETHER + 1):
        with nullcontext() if number < MOST_A_MINUTE else pytest.raises(TooManyError):
            new.count("192.0.2.7")
    new.count("192.0.2.8")
    monkeypatch.setattr(changes, "MOST_OF_SITE", 20)
    monkeypatch.setattr(changes, "MOST_TOGETHER", 90)
    counted = changes.Changes(lambda: 0.0)
    for _ in range(100):
        counted.may_write(Client(authenticated=False), "192.0.2.7")
    assert counted.may_write(Client(authenticated=False), "192.0.2.8")


def test_many_addresses_together_do_not_bring_names_without_end() -> None:
    new = Newcomers(lambda: 0.0)
    with pytest.raises(TooManyError, match="at once"):
        for number in range(MOST_TOGETHER + 1):
            new.count(f"198.51.{number // 256}.{number % 256}")


def test_what_proves_nothing_changes_its_row_a_few_times_only() -> None:
    moment = 0.0
    counted = changes.Changes(lambda: moment)
    one, other = Client(authenticated=False), Client(authenticated=False)
    assert [counted.may_write(one, "192.0.2.7") for _ in range(changes.MOST_OF_ROW + 2)] == [
        True
    ] * changes.MOST_OF_ROW + [False] * 2
    assert counted.may_write(other, "192.0.2.7")
    # One that proves who it is has room for more than it ever needs, and so has each of its neighbours.
    proven = Client(authenticated=True)
    written = [counted.may_write(proven, "192.0.2.7") for _ in range(changes.MOST_OF_PROVEN + 2)]
    assert written == [True] * changes.MOST_OF_PROVEN + [False] * 2
    assert all(counted.may_write(Client(authenticated=True), "192.0.2.7") for _ in range(changes.MOST_OF_SITE + 1))
    moment = 300.0
    assert counted.may_write(one, "192.0.2.7")


def test_one_site_does_not_write_without_end_and_neither_do_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_OF_SITE", 20)
    monkeypatch.setattr(changes, "MOST_TOGETHER", 90)
    counted = changes.Changes(lambda: 0.0)

    def written(number: int, address: str) -> int:
        return sum(counted.may_write(Client(authenticated=False), address) for _ in range(number))

    assert written(changes.MOST_OF_SITE + 5, "2001:db8:1:2::1") == changes.MOST_OF_SITE
    assert written(1, "2001:db8:1:2::ffff") == 0
    assert written(1, "2001:db8:1:3::1") == 1
    everyone = sum(written(1, f"198.51.{host // 256}.{host % 256}") for host in range(300))
    assert 0 < everyone < 90
