"""PINs and client keys on their way to the worker: sealed in the request that brings them."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from console.lib import clock
from console.lib.secret import Secret
from console.servers.current import sealing_public

PIN_PURPOSE = "group-connection"
CLIENT_KEY_PURPOSE = "group-client-key"


@dataclass(frozen=True)
class SealedPin:
    """A PIN that only the worker can open; `version` is new with every entry. The column names are the same."""

    sealed_pin: bytes
    pin_version: str
    pin_entered_at: datetime
    pin_rejected_version: str = ""


def seal_pin(pin: Secret, connection_id: uuid.UUID) -> SealedPin:
    """Seal an entered PIN for the row of that id."""
    sealed = sealing_public().seal(pin.reveal_bytes(), purpose=PIN_PURPOSE, row_id=str(connection_id))
    return SealedPin(sealed, uuid.uuid4().hex, clock.now())


def seal_client_key(key: Secret, group_id: uuid.UUID) -> bytes:
    """Seal an entered client key for the group of that id."""
    return sealing_public().seal(key.reveal_bytes(), purpose=CLIENT_KEY_PURPOSE, row_id=str(group_id))
