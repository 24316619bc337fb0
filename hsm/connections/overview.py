"""What the HSM tab shows of connections (GRP-24 to GRP-34). Reads rows only."""

from dataclasses import dataclass
from datetime import datetime

from console.jobs.models import OPEN, Job
from console.lib.durations import length
from hsm.connections.faults import INCOMPLETE, word
from hsm.connections.ordering import MOVES, Move
from hsm.connections.slots import shown
from hsm.groups import certificates
from hsm.jobs import TEST_CONNECTIONS
from hsm.models.drafts import StagedClientPair
from hsm.models.groups import Connection, ConnectionKind, ConnectionState, Group, Trust

LOOKS = {
    ConnectionState.CONNECTED: "ok",
    ConnectionState.NOT_CONNECTED: "warn",
    ConnectionState.UNTESTED: "mute",
}


@dataclass(frozen=True)
class Line:
    """A connection in the table. `priority` is None for the only one (GRP-26); `moves` say which would do nothing."""

    connection: Connection
    priority: int | None
    place: str
    look: str
    fault: str
    testing: bool
    pin: str
    lasting: str
    moves: tuple[tuple[Move, bool], ...]

    @property
    def host(self) -> str:
        """The connection in a sentence."""
        return self.connection.address or self.connection.name


@dataclass(frozen=True)
class Warn:
    """A note below the table."""

    title: str
    text: str
    code: str
    hint: str


@dataclass(frozen=True)
class Table:
    """All connections of a group as they stand; `testing` while a test is under way."""

    lines: list[Line]
    notes: list[Warn]
    testing: bool
    facts: Connection | None


def table(group: Group, now: datetime) -> Table:
    """Return what the HSM tab shows."""
    rows = list(group.connections.all())
    tested = _under_test(group, rows)
    lines = [_line(group, row, number, len(rows), tested, now) for number, row in enumerate(rows, start=1)]
    serving = next((line for line in lines if line.connection.state == ConnectionState.CONNECTED), None)
    notes = [_fault_note(line, serving) for line in lines if line.connection.state == ConnectionState.NOT_CONNECTED]
    return Table(lines, notes + _cautions(group, rows, now), bool(tested), _known(rows))


def _under_test(group: Group, rows: list[Connection]) -> set[str]:
    """Return the ids of the connections, and of the group, that a job is about to test."""
    about = {str(group.pk), *(str(row.pk) for row in rows)}
    jobs = Job.objects.filter(kind_name=TEST_CONNECTIONS.name, subject_id__in=about, state__in=OPEN)
    return set(jobs.values_list("subject_id", flat=True))


def _line(group: Group, row: Connection, number: int, total: int, tested: set[str], now: datetime) -> Line:
    return Line(
        connection=row,
        priority=number if total > 1 else None,
        place=_place(group, row),
        look=LOOKS[ConnectionState(row.state)],
        fault=word(row.fault_code) if row.fault_code else "",
        testing=bool(tested & {str(group.pk), str(row.pk)}),
        pin=_pin(row),
        lasting=f"For {length(max(1, (now - row.state_since).total_seconds()))}" if row.state_since else "",
        moves=tuple((move, number == (1 if move.upwards else total)) for move in MOVES),
    )


def _place(group: Group, row: Connection) -> str:
    parts = [f"Slot {shown(row.slot)}"]
    if row.kind == ConnectionKind.MODULE:
        parts.append("module on this server")
    else:
        parts.append(str(group.get_trust_display()))
        if group.client_cert_pem:
            parts.append("mutual TLS")
        if not group.validate_host:
            parts.append("host not validated")
    return ", ".join(parts)


def _pin(row: Connection) -> str:
    if not row.pin_version:
        return "Not entered"
    return "Rejected" if row.pin_version == row.pin_rejected_version else "Stored, hidden"


def _fault_note(line: Line, serving: Line | None) -> Warn:
    row = line.connection
    if serving:
        served = f"Key operations use {serving.connection.name}, slot {shown(serving.connection.slot)}."
    else:
        served = "No key operation is possible until a connection works."
    code = "" if row.fault_code == INCOMPLETE else row.fault_code
    return Warn(f"{line.host} is not connected.", row.fault, code, f"{served} {row.fault_next_step}")


def _cautions(group: Group, rows: list[Connection], now: datetime) -> list[Warn]:
    """Return what works and should be put right all the same."""
    found = [
        Warn(
            f"The gateway {row.name} asks for no client certificate.",
            "Whoever can reach it and knows the PIN may use the HSM through it.",
            "",
            "Set CA_FILE on the gateway, and enter a client certificate of that CA for this group.",
        )
        for row in rows
        if row.is_open
    ]
    staged = StagedClientPair.objects.filter(group=group).exclude(problem="").first()
    if staged:
        found.append(Warn("The client certificate was not taken over.", staged.problem, "", "See Edit certificates."))
    if group.trust == Trust.CUSTOM:
        found += [
            Warn(
                f"The certificate {one.subject} is not valid now.",
                f"It holds from {one.begins:%d %b %Y} to {one.ends:%d %b %Y}, UTC.",
                "",
                "Enter a newer one under Edit certificates.",
            )
            for pem in (group.ca_pem, group.client_cert_pem)
            for one in certificates.facts(pem)
            if not one.is_valid_at(now)
        ]
    return found


def _known(rows: list[Connection]) -> Connection | None:
    """Return the connection whose token was seen last by its priority: it speaks for the HSM."""
    return next((row for row in rows if row.label or row.serial), None)
