"""Test connections: reach the gateway or load the module, find the token, log in once, prove that it serves.

Worker only. The result is an answer, not an error: a job that tested a dead connection has done its work.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from console.jobs.models import Job
from console.lib.errors import ConsoleError, InvalidError, NotFoundError
from hsm.connections import drafts, states
from hsm.connections.faults import word
from hsm.connections.opening import health_key
from hsm.connections.reaching import reach
from hsm.device.base import TokenInfo
from hsm.device.errors import DeviceError
from hsm.device.failover import WRONG_PINS, health
from hsm.groups.clientpairs import check_pair, open_client_key
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Connection, ConnectionState, Group

TEST_DEADLINE_S = 10.0
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Outcome:
    """What one test found; it goes into the job's result, so it holds no secret."""

    name: str
    connected: bool
    latency_ms: float | None = None
    token: str = ""
    fault: str = ""
    message: str = ""
    code: str = ""
    next_step: str = ""
    is_open: bool = False

    @property
    def words(self) -> str:
        """The result in the words of GRP-19 and GRP-20."""
        return str((ConnectionState.CONNECTED if self.connected else ConnectionState.NOT_CONNECTED).label)


def test_subject(job: Job, *, progress: Progress) -> list[Outcome]:
    """Test the connection, or each connection of the group, that a job is about, and write down their states.

    Raises NotFoundError when it was deleted meanwhile.
    """
    if job.subject_kind == "group":
        group = Group.objects.filter(pk=job.subject_id, deleted_at__isnull=True).first()
        if group is None:
            raise NotFoundError("The group was deleted meanwhile. Nothing was tested.")
        found: Iterable[Connection] = group.connections.select_related("group")
    else:
        found = Connection.objects.select_related("group").filter(pk=job.subject_id)
        if not found.exists():
            raise NotFoundError("The connection was deleted meanwhile. Nothing was tested.")
    rows, outcomes = list(found), []
    for number, row in enumerate(rows, start=1):
        outcomes.append(test(row))
        progress(number, len(rows), f"{row.name}: {outcomes[-1].words}")
    return outcomes


def test(connection: Connection) -> Outcome:
    """Test a stored connection, write down what was found, and let it serve again when it works."""
    try:
        token, latency_ms, is_open = _probe(connection)
    except DeviceError as error:
        states.failed(connection, error)
        return _fault(connection, error)
    states.worked(connection, latency_ms=latency_ms, token=token, is_open=is_open)
    health.worked(health_key(connection))
    return Outcome(connection.name, connected=True, latency_ms=latency_ms, token=_name(token), is_open=is_open)


def test_draft(draft_id: str) -> Outcome:
    """Test a form that is not saved; raises NotFoundError when it was saved or ran out meanwhile."""
    draft = ConnectionDraft.objects.filter(pk=draft_id).first()
    if draft is None:
        raise NotFoundError("The form was saved, or 15 minutes have passed. Nothing was tested.")
    connection = drafts.connection_of(draft)
    try:
        _check_client_key(connection)
        token, latency_ms, is_open = _probe(connection)
    except DeviceError as error:
        if error.code in WRONG_PINS:
            _remember_rejection(draft)
        return _fault(connection, error)
    except ConsoleError as error:
        return _fault(connection, error)
    return Outcome(connection.name, connected=True, latency_ms=latency_ms, token=_name(token), is_open=is_open)


def as_result(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes for a job's result."""
    return [asdict(one) for one in outcomes]


def told(outcomes: Sequence[Outcome]) -> str:
    """Return outcomes in one sentence or two."""
    if len(outcomes) != 1:
        good = sum(one.connected for one in outcomes)
        return f"{good} of {len(outcomes)} connected." if outcomes else "The group has no connection."
    one = outcomes[0]
    return f"{one.words}: {one.token}, {one.latency_ms:.0f} ms." if one.connected else f"{one.words}: {one.message}"


def _probe(connection: Connection) -> tuple[TokenInfo, float, bool]:
    """Return the token, the milliseconds of one round trip, and whether the gateway asks for no certificate."""
    with reach(connection, TEST_DEADLINE_S) as device:
        began = time.monotonic()
        token = device.probe()
        latency_ms = round((time.monotonic() - began) * 1000, 1)
        return token, latency_ms, bool(getattr(device, "is_open", False))


def _check_client_key(connection: Connection) -> None:
    """Raise InvalidError for a client key that does not belong to its certificate."""
    group = connection.group
    if group.client_cert_pem and group.sealed_client_key is not None:
        check_pair(group.client_cert_pem, open_client_key(group.sealed_client_key, group.pk))
    elif group.client_cert_pem:
        raise InvalidError("The client certificate has no key.", code="client-key-missing")


@transaction.atomic
def _remember_rejection(draft: ConnectionDraft) -> None:
    ConnectionDraft.objects.filter(pk=draft.pk, pin_version=draft.pin_version).update(
        pin_rejected_version=draft.pin_version
    )
    Connection.objects.filter(pk=draft.connection_ref, pin_version=draft.pin_version).update(
        pin_rejected_version=draft.pin_version
    )


def _fault(connection: Connection, error: DeviceError | ConsoleError) -> Outcome:
    return Outcome(
        connection.name,
        connected=False,
        fault=word(error.code),
        message=error.message,
        code=error.code,
        next_step=error.next_step,
    )


def _name(token: TokenInfo) -> str:
    return f"{token.label} (serial {token.serial})" if token.serial else token.label
