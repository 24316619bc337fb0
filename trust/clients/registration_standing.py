"""What registrations obey and say of this server, read anew at most every second: a change needs no restart."""

from dataclasses import dataclass

from console.servers.current import current
from console.servers.models import Server
from settings_store import values
from trust.clients.fresh import Fresh
from trust.clients.registration_rules import Flags

KEPT_S = 1.0
REQUIRE_315, REQUIRE_314, ENABLE_314 = NAMES = (
    "require_client_tls_315_flag",
    "require_client_tls_314_flag",
    "enable_protocol_314_flag",
)


@dataclass(frozen=True)
class Standing:
    """The server of this process, and its three flags, as they stood when they were read."""

    server: Server
    flags: Flags


def standing() -> Standing:
    """Return what stood within the last second, in this process."""
    return _fresh.get(None, KEPT_S)


def flags(server: Server) -> Flags:
    """Return the flags of a server as they stand now: one query."""
    rows = list(values.rows(server).filter(name__in=NAMES))
    on = {name: values.chosen(name, [row for row in rows if row.name == name]).text == "1" for name in NAMES}
    return Flags(require_tls_315=on[REQUIRE_315], require_tls_314=on[REQUIRE_314], enable_314=on[ENABLE_314])


def forget() -> None:
    """Read anew at the next call (for tests)."""
    _fresh.forget()


def _read(_one: None) -> Standing:
    server = current()
    return Standing(server, flags(server))


_fresh: Fresh[None, Standing] = Fresh(_read)
