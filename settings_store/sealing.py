"""Seals a Protected value for the worker of this server, in the request that brought it."""

from uuid import UUID

from console.lib.secret import Secret
from console.servers.current import sealing_public

PURPOSE = "setting"


def seal(secret: Secret, *, setting_id: UUID) -> bytes:
    """Return the sealed value; it opens for this row only."""
    return sealing_public().seal(secret.reveal_bytes(), purpose=PURPOSE, row_id=str(setting_id))
