"""What a client does when a signed document has proved itself (`taking` sees to that first)."""

from datetime import timedelta

import msgspec

from trust import anchors
from trust.agent import answering
from trust.agent.client import Client
from trust.wire import signatures
from trust.wire.documents import EVERYONE, Directive, Question, Settings, TrustList, decode
from trust.wire.errors import WireError
from trust.wire.messages import Answer
from trust.wire.signed import Envelope

SOON_S = 30.0


def trust_list(client: Client, listed: TrustList, envelope: Envelope) -> None:
    """Hold what the list says, if its signer can be believed (`trust.anchors`); raises WireError if not."""
    if listed.audience != EVERYONE:
        raise WireError("A trust list is for everyone.", code="foreign-document")
    state = client.state
    accepted = anchors.accept(state.held, listed, envelope.signer)
    state.hold(accepted.held)
    state.trust_list = envelope.payload
    state.newest = signatures.fingerprint(signatures.certificate_of(envelope.signer))
    _say_changes(client, accepted)
    follow_newest(client)


def follow_newest(client: Client) -> None:
    """See to it that the certificate will stand below the newest root.

    At some moment within the time that the server needs for all its clients, and until the next full registration, so
    that not everybody asks at once; within 30 s if the root above the certificate was revoked.
    """
    state, now = client.state, client.clock()
    if state.identity is None or state.identity.root == state.newest:
        state.move_at = None
        return
    latest_s = min(float(state.move_within_s), max(0.0, ((state.next_full or now) - now).total_seconds()))
    if state.identity.root in state.revoked:
        latest_s = min(latest_s, SOON_S)
    if state.move_at is None or state.move_at > now + timedelta(seconds=latest_s):
        state.move_at = now + timedelta(seconds=client.jitter(0.0, latest_s))


def settings(client: Client, said: Settings) -> None:
    """Keep the server's settings: those for everyone, or those for this client, which win over them."""
    layer = "general" if said.audience == EVERYONE else "own"
    client.state.layers = msgspec.structs.replace(client.state.layers, **{layer: said.settings})
    client.directory.settings.take(client.state.layers)


def directive(client: Client, said: Directive) -> None:
    """Obey; raises WireError for an order that stands on a trust list which has not come yet."""
    state = client.state
    if said.trust_list > state.sequences.trust_list:
        raise WireError("The order stands on a trust list that has not come yet.", code="early-directive")
    if said.order == "re-enrol":
        state.move_at = client.clock()
    elif state.trust_list:
        reset = anchors.reset(state.held, decode(state.trust_list, TrustList))
        state.hold(reset.held)
        _say_changes(client, reset)
    client.log.key("directive-obeyed", said.order)
    state.say_anew = True


def question(client: Client, said: Question) -> None:
    """Keep the answer until it can be sent."""
    answering.keep(client, Answer(question=said.question, value=answering.answer_to(client, said.asked)))


def _say_changes(client: Client, accepted: anchors.Accepted) -> None:
    for fingerprint in accepted.added:
        client.log.key("root-added", fingerprint)
    for fingerprint in accepted.dropped:
        client.log.key("root-dropped", fingerprint)
    if accepted.added or accepted.dropped:
        client.state.say_anew, client.bridges = True, ()
