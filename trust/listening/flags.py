"""The settings that the listeners obey, read anew every second at most: a change needs no restart."""

import logging
import threading
import time
from dataclasses import dataclass

from django.db import Error as DatabaseError

from settings_store import values

logger = logging.getLogger(__name__)

EVERY_S = 1.0


@dataclass(frozen=True)
class Flags:
    """The flags as numbers 0 and 1 made truth values."""

    allow_tls13: bool = True
    enable_314: bool = False
    require_tls_314: bool = False
    require_tls_315: bool = True

    @property
    def plain_allowed(self) -> bool:
        """Whether a client may register without TLS at all (TLS-14 to TLS-17)."""
        return not self.require_tls_315 or (self.enable_314 and not self.require_tls_314)


def read() -> Flags:
    """Ask the database."""
    return Flags(
        allow_tls13=values.flag("allow_tls13"),
        enable_314=values.flag("enable_protocol_314_flag"),
        require_tls_314=values.flag("require_client_tls_314_flag"),
        require_tls_315=values.flag("require_client_tls_315_flag"),
    )


class Kept:
    """The flags of at most a second ago; while the database is away, the last ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flags = Flags()
        self._until = 0.0

    def current(self) -> Flags:
        """Return them; one thread at a time asks, the others go on with what there is."""
        if time.monotonic() >= self._until and self._lock.acquire(blocking=self._until == 0.0):
            try:
                self._flags = read()
            except DatabaseError as error:
                logger.warning("The settings cannot be read, the former ones stay: %s", error)
            finally:
                self._until = time.monotonic() + EVERY_S
                self._lock.release()
        return self._flags


kept = Kept()
