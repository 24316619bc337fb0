"""Registration: the client says that it is there, which roots and documents it holds, and takes what is newer."""

import msgspec

from trust.agent import VERSIONS, exchange, taking, timing
from trust.agent.client import Client
from trust.agent.errors import RefusedError
from trust.agent.transport import Door, Request
from trust.wire import messages
from trust.wire.messages import Registered, Registration

PATH = "/v1/registrations"
REPLAYED = "replayed"


def register(client: Client, at: Door, *, mode: int) -> Registered:
    """Register, and take what the answer says, except its documents.

    Raises RefusedError, UnreachableError and WireError (an answer that cannot be read).
    """
    anew = client.state.next_full is None or client.clock() >= client.state.next_full
    full = anew or client.state.say_anew
    try:
        registered = _send(client, at, mode, full=full)
    except RefusedError as error:
        if error.code != REPLAYED:
            raise
        # A directory restored from a backup, or a clone: go on above what the server has seen.
        client.counter = max(client.counter, error.counter)
        registered = _send(client, at, mode, full=full)
    if registered.authenticated and at.tls:  # in clear, anybody may say so
        client.state.client_id = registered.registered_as
    client.state.move_within_s = registered.move_within_s
    if anew:
        client.state.next_full = timing.next_full(client.clock(), client.jitter)
    if full:
        client.state.say_anew = False
        over = "TLS" if at.tls else "no TLS"
        client.log.key("registered", client.state.name, f"with {registered.server} over {over}")
    return registered


def take_documents(client: Client, registered: Registered, at: Door) -> None:
    """Take the server's time, if it proved who it is, and what is newer than the documents that are held."""
    if at.tls and at.tls.roots:
        client.learn_time(registered.server_time)
    taking.take(client, registered.documents)


def _send(client: Client, at: Door, mode: int, *, full: bool) -> Registered:
    state, held = client.state, client.state.sequences
    body = Registration(
        name=state.name,
        protocol=315 if state.protocol == 315 else 314,
        version=VERSIONS[state.protocol],
        counter=client.next_counter(),
        full=full,
        tls_mode=2 if mode == 2 else 1 if mode else 0,
        roots=tuple(sorted(state.roots)),
        trust_list=held.trust_list,
        settings=held.settings,
        own_settings=held.own_settings,
        directive=held.directive,
        own_directive=held.own_directive,
        question=held.question,
    )
    headers = {"Content-Type": "application/json"}
    reply = exchange.ask(client, at, Request("POST", PATH, msgspec.json.encode(body), headers))
    return messages.decode(reply.body, Registered)
