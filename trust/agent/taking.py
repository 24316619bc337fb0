"""Which signed documents a client believes: each only for what it proves, and none twice."""

from collections.abc import Iterable

import msgspec

from trust import anchors
from trust.agent import answering, following
from trust.agent.client import Client
from trust.agent.pkilog import Level
from trust.wire import signatures, signed
from trust.wire.documents import EVERYONE, PAYLOADS, Directive, Payload, Question, Settings, TrustList, decode
from trust.wire.errors import WireError
from trust.wire.messages import Answer
from trust.wire.signed import Envelope, Kind

MESSAGE_SIGNING = "1.2.840.113556.1.8000.2554.11844.7983.2183.17371.41920.4536775.6377541"
"""The key purpose "signs messages to clients" (keys.profiles)."""
LONGEST_CHAIN = 16
UNPROVEN = ("unknown-signer", "bad-signature")
"""Why a question may not verify: whoever asked it is told so, once."""
# A trust list first: it may bring the root that the others stand on.
ORDER = {Kind.TRUST_LIST: 0, Kind.SETTINGS: 1, Kind.DIRECTIVE: 2, Kind.QUESTION: 3}


def take(client: Client, envelopes: Iterable[Envelope]) -> None:
    """Check and follow each document; one that does not hold is refused into the log, and the others count."""
    readable = []
    for envelope in envelopes:
        try:
            readable.append((envelope, decode(envelope.payload, PAYLOADS[envelope.kind])))
        except WireError as error:
            _refused(client, envelope.kind, error)
    for envelope, payload in sorted(readable, key=lambda pair: (ORDER[pair[0].kind], pair[1].sequence)):
        try:
            _take(client, envelope, payload)
        except WireError as error:
            _refused(client, envelope.kind, error)
            if isinstance(payload, Question) and error.code in UNPROVEN:
                _fail(client, payload, error)
    client.save()


def take_settings_of_314(client: Client, envelopes: Iterable[Envelope]) -> None:
    """Take the server's settings for everyone, as protocol 314 can.

    It holds no numbered root, so no signer leads anywhere: the TLS connection, which legacy-root vouches for, has to
    do. Other documents mean nothing to it.
    """
    for envelope in envelopes:
        if envelope.kind is not Kind.SETTINGS:
            continue
        try:
            said = decode(envelope.payload, Settings)
            _check_header(client, "settings", said)
            signed.check(envelope)
            following.settings(client, said)
            client.state.sequences = msgspec.structs.replace(client.state.sequences, settings=said.sequence)
        except WireError as error:
            _refused(client, envelope.kind, error)


def _take(client: Client, envelope: Envelope, payload: Payload) -> None:
    place = _place(envelope.kind, payload)
    _check_header(client, place, payload)
    signed.check(envelope)
    match payload:
        case TrustList():
            following.trust_list(client, payload, envelope)
        case Settings():
            _require_message_signer(client, envelope)
            following.settings(client, payload)
        case Directive():
            _require_message_signer(client, envelope)
            following.directive(client, payload)
        case Question():
            _require_message_signer(client, envelope)
            following.question(client, payload)
    client.state.sequences = msgspec.structs.replace(client.state.sequences, **{place: payload.sequence})
    client.log.key("document-taken", f"{envelope.kind} {payload.sequence}")


def _check_header(client: Client, place: str, payload: Payload) -> None:
    if payload.server not in {server.name for server in client.state.servers}:
        raise WireError("The document is of another server.", code="foreign-document")
    if payload.audience not in (EVERYONE, client.state.client_id):
        raise WireError("The document is for another client.", code="foreign-document")
    held = getattr(client.state.sequences, place)
    if payload.sequence <= held:
        raise WireError(f"Its sequence {payload.sequence} is not above {held}, which is held.", code="old-sequence")
    if payload.expires_at and payload.expires_at <= client.server_now():
        raise WireError("The document has expired.", code="expired")


def _require_message_signer(client: Client, envelope: Envelope) -> None:
    signer, now = signatures.certificate_of(envelope.signer), client.server_now()
    if len(envelope.chain) > LONGEST_CHAIN:
        raise WireError("The chain of the signer is too long.", code="unknown-signer")
    if not anchors.leads_to((envelope.signer, *envelope.chain), client.state.held, MESSAGE_SIGNING):
        raise WireError("The signer does not lead to a root that is held.", code="unknown-signer")
    if not signer.not_valid_before_utc <= now < signer.not_valid_after_utc:
        raise WireError("The signer's certificate is not valid now.", code="unknown-signer")


def _place(kind: Kind, payload: Payload) -> str:
    name = kind.replace("-", "_")
    own = payload.audience != EVERYONE and kind in (Kind.SETTINGS, Kind.DIRECTIVE)
    return f"own_{name}" if own else name


def _fail(client: Client, question: Question, error: WireError) -> None:
    if question.question not in client.questions_failed:
        client.questions_failed.append(question.question)
        answering.keep(client, Answer(question=question.question, value=error.message[:200], failed=True))


def _refused(client: Client, kind: Kind, error: WireError) -> None:
    client.log.key("document-refused", kind, f"{error.code}: {error.message}", Level.WARNING)
