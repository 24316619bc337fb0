"""Kinds of jobs, as data: what may be done with a job, and what becomes of one whose worker was lost."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from console.jobs.errors import UnknownKindError

if TYPE_CHECKING:
    from console.jobs.models import Job
    from console.lib.actor import Actor


class OnLost(Enum):
    """What the sweeper does with a running job whose worker is gone."""

    RETRY = "retry"  # the work may be done again from the start
    FAIL = "fail"  # it may not, and nothing is left behind
    UNKNOWN = "unknown"  # a device may have acted: `settle` finds out


@dataclass(frozen=True)
class JobKind:
    """One kind of work.

    `task` is the Celery task's name. `time_limit_s` ends the worker child by SIGKILL; `lease_s` must be longer, by
    what a device may still need for a call: a job is declared lost when its process is seen to be gone
    (`console.jobs.locks`) or cannot be alive any more, and begins again after that time. `max_attempts` 0 means
    without limit; after a fault that may pass, attempt n + 1 waits `retry_delays_s[n]` (the last one repeats).
    `settle` is called in the transaction that declares a job lost whose `on_lost` is UNKNOWN; `on_cancel` in the one
    that cancels a job. `keeps_waiting` says why a planned job is not started early from the page of jobs, in a
    sentence; empty when it may.
    """

    name: str
    label: str
    task: str
    time_limit_s: int
    lease_s: int
    on_lost: OnLost
    max_attempts: int = 1
    retry_delays_s: tuple[int, ...] = ()
    retry_by_hand: bool = False
    cancellable: bool = True
    reschedulable: bool = False
    housekeeping: bool = False
    settle: "Callable[[Job], None] | None" = None
    on_cancel: "Callable[[Job, Actor], None] | None" = None
    keeps_waiting: "Callable[[Job], str] | None" = None

    def __post_init__(self) -> None:
        if self.lease_s <= self.time_limit_s:
            raise ValueError(f"{self.name}: the lease must outlast the time limit.")
        if (self.on_lost is OnLost.UNKNOWN) != (self.settle is not None):
            raise ValueError(f"{self.name}: settle belongs to UNKNOWN.")

    def delay_s(self, attempts: int) -> int | None:
        """Return the seconds to wait after that many attempts, or None when no attempt is left."""
        if not self.retry_delays_s or (self.max_attempts and attempts >= self.max_attempts):
            return None
        return self.retry_delays_s[min(attempts, len(self.retry_delays_s)) - 1]


_kinds: dict[str, JobKind] = {}
_periodic: dict[str, int] = {}


def register(kind: JobKind) -> JobKind:
    """Make a kind known; called at import of an app's `jobs` module."""
    if _kinds.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"Two job kinds are named {kind.name}.")
    return kind


def register_periodic(kind: JobKind, every_s: int) -> JobKind:
    """Make a housekeeping kind known that each server runs at that interval, as one row that comes back."""
    _periodic[kind.name] = every_s
    return register(kind)


def find(name: str) -> JobKind | None:
    """Return the kind of that name, or None for one that this version does not have."""
    return _kinds.get(name)


def get(name: str) -> JobKind:
    """Return the kind of that name; raises UnknownKindError."""
    found = find(name)
    if found is None:
        raise UnknownKindError(name)
    return found


def every() -> tuple[JobKind, ...]:
    """Return all kinds, by label."""
    return tuple(sorted(_kinds.values(), key=lambda kind: kind.label))


def periodic() -> tuple[tuple[JobKind, int], ...]:
    """Return the housekeeping kinds with their intervals in seconds."""
    return tuple((_kinds[name], seconds) for name, seconds in _periodic.items())
