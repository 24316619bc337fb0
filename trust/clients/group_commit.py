"""Group commit: what several threads want stored at the same time is one transaction, and one wait for the disk.

Nobody waits for company. Who comes while nothing is being stored begins at once; who comes meanwhile is stored with all
the others who came meanwhile, by the first of them. Each thread goes on when its own is stored, or was refused.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db import IntegrityError

from trust.errors import OvertakenError

Item = TypeVar("Item")

ONE_STANDS_FOR_ALL = (IntegrityError, OvertakenError)
"""What may be due to one item alone; any other fault is the database's."""


@dataclass(eq=False)
class _Order(Generic[Item]):
    """`turn` is set when this thread has to go on: its item is done, or it has to lead."""

    item: Item
    turn: threading.Event = field(default_factory=threading.Event)
    is_done: bool = False
    fault: BaseException | None = None


class GroupCommit(Generic[Item]):
    """Stores with `commit`: all of its items or none, on the disk when it returns.

    Items go together that have the same `kind`. Where a group is refused, each of it is tried alone.
    """

    def __init__(self, commit: Callable[[list[Item]], None], kind: Callable[[Item], Hashable]) -> None:
        self._commit = commit
        self._kind = kind
        self._lock = threading.Lock()
        self._waiting: list[_Order[Item]] = []
        self._is_led = False

    def store(self, item: Item) -> None:
        """Return when the item is stored. Raises what `commit` raises for it alone, or for any group."""
        order = _Order(item)
        with self._lock:
            self._waiting.append(order)
            has_to_wait, self._is_led = self._is_led, True
        if has_to_wait:
            order.turn.wait()
        if not order.is_done:
            self._lead(order)
        if order.fault is not None:
            raise order.fault

    def _lead(self, first: _Order[Item]) -> None:
        kind = self._kind(first.item)
        with self._lock:
            group = [order for order in self._waiting if self._kind(order.item) == kind]
            self._waiting = [order for order in self._waiting if order not in group]
        self._store(group)
        with self._lock:
            next_leaders = self._waiting[:1]
            self._is_led = bool(next_leaders)
        for order in (*group, *next_leaders):
            order.turn.set()

    def _store(self, group: list[_Order[Item]]) -> None:
        try:
            self._commit([order.item for order in group])
        except ONE_STANDS_FOR_ALL as fault:
            if len(group) > 1:
                for order in group:
                    self._store([order])
                return
            group[0].fault = fault
        except BaseException as fault:  # noqa: BLE001 - whoever waits has to hear of it; it is raised in each thread
            for order in group:
                order.fault = fault
        for order in group:
            order.is_done = True
