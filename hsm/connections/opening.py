"""Open a group: where its keys are, whatever that is. Worker only.

with open_group(group) as device:
    record = device.generate(key_id, spec, label, operations)
    run.result["served by"] = served_by(device)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic

from console.lib.errors import UnavailableError
from hsm.connections import states
from hsm.connections.reaching import obstacle, reach
from hsm.device.errors import DeviceError
from hsm.device.group import GroupDevice, Member
from hsm.device.objects import ObjectDevice
from hsm.models.groups import Connection, ConnectionKind, Group
from hsm.software import open_store

PROBE_S = 3.0  # a gateway that takes longer to prove itself, while others serve, is left alone a little longer

FRESH_S = states.FRESH.total_seconds()


@contextmanager
def open_group(group: Group) -> Iterator[ObjectDevice]:
    """Yield the device that holds the keys of a group: pki.db, or its connections in the order of their priority.

    Nothing is asked over the network before the first call. Raises UnavailableError, naming the fault of each
    connection, when none can serve; otherwise DeviceError, as the device's methods do.
    """
    if not group.is_hsm:
        with open_store() as store:
            yield store.device()
        return
    connections = list(group.connections.select_related("group"))
    # A slot that was renumbered may have become that of another connection: then the two are one.
    by_name: dict[str, Connection] = {}
    for one in connections:
        if not _is_obstructed(one):
            by_name.setdefault(member_name(one), one)
    usable = list(by_name.values())
    if not usable:
        raise no_connection(group)
    notes = Notes(usable)
    try:
        with GroupDevice([_member(one) for one in usable], on_event=notes) as device:
            yield device
    except DeviceError as error:
        if error.code != "NO_CONNECTION" or error.outcome_unknown:
            raise
        raise no_connection(group) from error


def served_by(device: ObjectDevice) -> str:
    """Return the name of the connection that answered the last call, or where else the keys are."""
    return device.served_by if isinstance(device, GroupDevice) else device.token().label


def no_connection(group: Group) -> UnavailableError:
    """Return the error of a group none of whose connections can serve, with the fault of each."""
    connections = list(group.connections.all())
    told = states.summary(connections) if connections else "It has no connection."
    return UnavailableError(
        f"No connection of “{group.title}” can serve. {told} Nothing was changed.",
        code="NO_CONNECTION",
        next_step="Open the HSM tab of the group, which says what to do about each connection.",
    )


class Notes:
    """Keeps the rows of connections up to date with what operations find; operations may come by the thousand."""

    def __init__(self, connections: list[Connection]) -> None:
        self._by_name = {member_name(one): one for one in connections}
        self._worked_at: dict[str, float] = {}

    def __call__(self, name: str, error: DeviceError | None, latency_ms: float) -> None:
        """Write down how one call went."""
        connection = self._by_name[name]
        if error is not None:
            self._worked_at.pop(name, None)
            states.failed(connection, error)
        elif monotonic() - self._worked_at.get(name, float("-inf")) >= FRESH_S:
            self._worked_at[name] = monotonic()
            states.worked(connection, latency_ms=latency_ms)


def member_name(connection: Connection) -> str:
    """Return the name by which the device and a job's result tell connections apart."""
    return f"{connection.name} slot {connection.slot}"


def health_key(connection: Connection) -> tuple[str, ...]:
    """Return what a process remembers a connection by: another place or PIN is another connection."""
    return (str(connection.pk), connection.name, connection.slot, connection.pin_version)


def _member(connection: Connection) -> Member:
    soon = partial(reach, connection, PROBE_S) if connection.kind == ConnectionKind.GATEWAY else None
    return Member(member_name(connection), partial(reach, connection), health_key(connection), prove=soon)


def _is_obstructed(connection: Connection) -> bool:
    error = obstacle(connection)
    if error is not None:
        states.failed(connection, error)
    return error is not None
