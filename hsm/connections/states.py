"""What tests, health checks and operations found out about connections: state since when, latency, the last fault.

Every write is fenced by place and PIN: what was found about a connection that was edited meanwhile is not written.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.connections.entering import PLACE
from hsm.device.base import TokenInfo
from hsm.device.errors import DeviceError
from hsm.device.failover import WRONG_PINS
from hsm.models.groups import Connection, ConnectionState

WORKER = Actor.system("worker")
# Operations come by the hundred; a row that said the same a moment ago is not written again.
FRESH = timedelta(seconds=5)


def worked(
    connection: Connection, *, latency_ms: float, token: TokenInfo | None = None, is_open: bool | None = None
) -> None:
    """Write that the connection works; `token` and `is_open` as a test found them."""
    values: dict[str, Any] = {"latency_ms": round(latency_ms, 1), "fault_code": "", "fault": "", "fault_next_step": ""}
    if token:
        values |= {name: getattr(token, name) for name in ("label", "serial", "manufacturer", "model", "firmware")}
        values["slot"] = str(token.slot_id)
    if is_open is not None:
        values["is_open"] = is_open
    _write(connection, ConnectionState.CONNECTED, values)


def failed(connection: Connection, error: DeviceError) -> None:
    """Write that the connection does not work, and why; a PIN that the token rejected is not sent again."""
    values: dict[str, Any] = {
        "latency_ms": None,
        "fault_code": error.code[:60],
        "fault": error.message,
        "fault_next_step": error.next_step,
    }
    if error.code in WRONG_PINS:
        values["pin_rejected_version"] = connection.pin_version
    _write(connection, ConnectionState.NOT_CONNECTED, values)


def _write(connection: Connection, state: ConnectionState, values: dict[str, Any]) -> None:
    now = clock.now()
    place = {name: getattr(connection, name) for name in (*PLACE, "pin_version")}
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).filter(pk=connection.pk, **place).first()
        if row is None:
            return
        changed = row.state != state
        is_fresh = row.checked_at is not None and now - row.checked_at < FRESH
        if is_fresh and not changed and row.fault_code == values["fault_code"] and "label" not in values:
            return
        values = {**values, "state": state, "checked_at": now}
        if changed:
            values["state_since"] = now
        Connection.objects.filter(pk=row.pk).update(**values)
        _record(row, state, values)
    if "slot" in values:
        connection.slot = values["slot"]


def _record(before: Connection, state: ConnectionState, values: dict[str, Any]) -> None:
    """Leave an entry where something changed that an operator wants to find later."""
    if values.get("pin_rejected_version", before.pin_rejected_version) != before.pin_rejected_version:
        details = {"code": values["fault_code"]}
        log.append(
            Action.CONNECTION_PIN_REJECTED, before.subject, actor=WORKER, outcome=Outcome.FAILED, details=details
        )
    elif (before.state, state) == (ConnectionState.CONNECTED, ConnectionState.NOT_CONNECTED):
        details = {"reason": values["fault"], "code": values["fault_code"]}
        log.append(Action.CONNECTION_LOST, before.subject, actor=WORKER, outcome=Outcome.FAILED, details=details)
    elif (before.state, state) == (ConnectionState.NOT_CONNECTED, ConnectionState.CONNECTED):
        log.append(Action.CONNECTION_BACK, before.subject, actor=WORKER)


def summary(connections: Iterable[Connection]) -> str:
    """Return what is wrong with each connection that does not work, in one text."""
    return " ".join(f"{one.name}: {one.fault}" for one in connections if one.fault)
