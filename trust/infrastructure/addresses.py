"""Where clients reach this server. The supervisor, or the unit files, say on which ports the listener stands."""

from console import env
from console.servers.models import Server
from trust.wire.initfile import Address

PORT, PLAIN_PORT = 17472, 17473


def own(server: Server) -> Address:
    """Return the address of this server's listener."""
    return Address(
        name=server.fqdn,
        port=env.whole_number("KEYSTEAD_LISTENER_PORT", PORT),
        plain_port=env.whole_number("KEYSTEAD_LISTENER_PLAIN_PORT", PLAIN_PORT),
    )
