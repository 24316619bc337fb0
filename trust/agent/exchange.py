"""Requests to the server in turn, and what its answers mean."""

from dataclasses import replace

from trust import anchors
from trust.agent import est
from trust.agent.client import Client
from trust.agent.errors import (
    CertificateRefusedError,
    HandshakeError,
    RefusedError,
    ServerNotTrustedError,
    UnreachableError,
)
from trust.agent.est import NONCE
from trust.agent.transport import LONGEST_RETRY_S, Door, Reply, Request, Tls
from trust.wire import messages
from trust.wire.errors import WireError
from trust.wire.initfile import Address
from trust.wire.messages import HIGHEST_COUNTER, Nonce, Refusal

MOST_BREAKS = 3
PORT, PLAIN_PORT = 17472, 17473


def servers(client: Client) -> tuple[Address, ...]:
    """Return the servers to try: those of ServerNameList if it is set, else those of the infrastructure file."""
    known = {address.name: address for address in client.state.servers}
    names = client.directory.settings.text("ServerNameList").replace(",", " ").split()
    return tuple(known.get(name, Address(name, PORT, PLAIN_PORT)) for name in names) or client.state.servers


def door(client: Client, *, certificate: bool = False) -> Door:
    """Return the door with TLS; with `certificate` the client shows its own."""
    server = _server(client)
    identity, keys = client.state.identity, client.directory.keys
    roots = tuple(client.state.roots.values())
    if not (certificate and identity):
        return _at(client, server, server.name, Tls(roots))
    if not keys.certificate_path(identity.key).exists():
        keys.certify(identity.key, (identity.certificate, *identity.chain))
    shown = Tls(roots, keys.certificate_path(identity.key), keys.key_path(identity.key))
    return _at(client, server, server.name, shown)


def plain_door(client: Client) -> Door:
    """Return the door without TLS."""
    server = _server(client)
    return _at(client, server, server.name, None)


def legacy_door(client: Client, roots: tuple[bytes, ...]) -> Door:
    """Return the door of protocol 314: another name by SNI; without roots the server stays a stranger."""
    server = _server(client)
    return _at(client, server, f"legacy.{server.name}", Tls(roots))


def ask(client: Client, at: Door, request: Request) -> Reply:
    """Return an answer of 2xx; raises RefusedError for every other and UnreachableError for none.

    A connection that breaks after the certificate was shown may be a server that turned it down: in TLS 1.3 the alert
    can be lost with the connection. If that happens three times in a row and the server answers without certificate,
    it is CertificateRefusedError.
    """
    try:
        reply = _send(client, at, request)
    except UnreachableError as error:
        is_plain_break = error.connected and not isinstance(error, HandshakeError)
        if at.tls and at.tls.certificate and is_plain_break and _answers_without(client):
            client.breaks += 1
            if client.breaks >= MOST_BREAKS:
                raise CertificateRefusedError("The connection breaks whenever the certificate is shown.") from error
        raise
    client.breaks = 0
    if 200 <= reply.status < 300:
        return reply
    raise refused(reply)


def refused(reply: Reply) -> RefusedError:
    """Return the reason of an answer that is not 2xx: a Refusal in JSON, or a line of text (RFC 7030 §4.2.3)."""
    try:
        said = messages.decode(reply.body, Refusal)
    except WireError:
        text = reply.body[:200].decode("utf-8", "replace").strip() if reply.content_type == "text/plain" else ""
        said = Refusal(code=f"http-{reply.status}", message=text or f"HTTP {reply.status}")
    wait_s = reply.retry_after_s if said.retry_after_s is None else min(max(0, said.retry_after_s), LONGEST_RETRY_S)
    # A server keeps none higher: above it, there would soon be no counter left that any server takes.
    counter = min(said.counter or 0, HIGHEST_COUNTER)
    return RefusedError(said.message, code=said.code, status=reply.status, retry_after_s=wait_s, counter=counter)


def fresh_nonce(client: Client, at: Door) -> bytes:
    """Return a nonce of the server, to be signed; raises as `ask`, and WireError for an answer that is none."""
    return messages.decode(ask(client, at, NONCE).body, Nonce).nonce


def _answers_without(client: Client) -> bool:
    try:
        return _send(client, door(client), NONCE).status == 200
    except UnreachableError:
        return False


def _send(client: Client, at: Door, request: Request) -> Reply:
    """Send; a server that cannot be verified is asked for its cross-certificates, which may lead to it, and again.

    A TLS library follows the first way that the server sends, which starts from the roots before its newest one. Who
    missed more rotations finds its own.
    """
    try:
        return client.transport.send(_bridged(client, at), request)
    except ServerNotTrustedError:
        if not _find_bridges(client, at):
            raise
    return client.transport.send(_bridged(client, at), request)


def _bridged(client: Client, at: Door) -> Door:
    return replace(at, tls=replace(at.tls, bridges=client.bridges)) if at.tls and at.tls.roots else at


def _find_bridges(client: Client, at: Door) -> bool:
    """Tell whether a stranger in the server's place brought other cross-certificates than those that are known.

    Nothing is told to it, and nothing believed but what roots that are held have signed.
    """
    if client.state.protocol != 315:
        return False
    try:
        found = est.certificates(client.transport.send(replace(at, tls=Tls(())), est.CA_CERTIFICATES))
    except (UnreachableError, WireError):
        return False
    bridges = anchors.bridges(client.state.held, found)
    is_new, client.bridges = bool(bridges) and bridges != client.bridges, bridges
    return is_new


def _server(client: Client) -> Address:
    choice = servers(client)
    return choice[client.server_index % len(choice)]


def _at(client: Client, server: Address, name: str, tls: Tls | None) -> Door:
    # `connect` stands in for the name service, as curl's --connect-to does; what the server must prove stays its name.
    where = client.state.connect or server
    return Door(where.name, where.plain_port if tls is None else where.port, name, tls)
