"""How a client gets its certificate: for the first time, anew inside the renewal window, or by proof of its last key.

Whatever happens in between, the private key is on the disk before the request leaves, the request is on the disk
before it leaves, and the same request is sent until it is answered: the server answers it with the same certificate.
"""

from hashlib import sha256

import msgspec

from trust.agent import certified, est, exchange, keys, request
from trust.agent.client import Client
from trust.agent.errors import RefusedError
from trust.agent.pkilog import Level
from trust.agent.state import Identity, Request, Way
from trust.agent.transport import Door, Reply
from trust.agent.ways import Choice, choice
from trust.wire import proof
from trust.wire.errors import WireError

MOST_DOUBTFUL = 4


def enrol(client: Client) -> None:
    """Get a certificate and keep it.

    Raises RefusedError (status 202: an administrator has to allow it first), UnreachableError, and WireError for an
    answer that does not hold.
    """
    by = choice(client)
    at = exchange.door(client, certificate=by.way is Way.RENEWAL)
    authorities = est.certificates(exchange.ask(client, at, est.CA_CERTIFICATES))
    wanted = _request(client, at, by)
    client.log.key("certificate-requested", client.state.name, f"{by.way}, key {_fingerprint(client, wanted)}")
    reply = _send(client, at, wanted)
    try:
        identity = certified.judge(client, at, wanted, reply, authorities)
    except WireError:
        # The same request would be answered with the same certificate. Its key may be what the server certified last.
        _doubt(client, wanted.key)
        client.state.request = None
        client.save()
        raise
    _keep(client, identity, by.way)


def refuse(client: Client) -> None:
    """Remember that the server does not take the certificate: the next one is asked for by proof of its key."""
    identity = client.state.identity
    if identity and not identity.refused:
        client.log.key("certificate-refused", client.state.name, "asking by proof of the last key", Level.WARNING)
        client.state.identity = msgspec.structs.replace(identity, refused=True)
        client.save()


def _request(client: Client, at: Door, by: Choice) -> Request:
    waiting = client.state.request
    if waiting and waiting.der and (waiting.way, waiting.last_key) == (by.way, by.last_key):
        return waiting
    store = client.directory.keys
    if waiting and waiting.in_doubt:
        _doubt(client, waiting.key)
        waiting = None
    if waiting is None:
        client.state.request = None
        client.save()
        store.keep_only(client.state.keys)
    name = waiting.key if waiting else store.make()
    key = store.load(name)
    if by.way is Way.FIRST and est.wants_another_key(est.attributes(exchange.ask(client, at, est.ATTRIBUTES))):
        client.log.key("other-key-wanted", client.state.name, "this client makes EC P-256", Level.WARNING)
    if by.way is Way.PROOF:
        nonce = exchange.fresh_nonce(client, at)
        chain = _chain(client, by.last_key)
        der = request.build(client.state.name, key, nonce=nonce, last_key=store.load(by.last_key), chain=chain)
    else:
        der = request.build(client.state.name, key)
    return _remember(client, Request(name, der, by.way, by.last_key))


def _chain(client: Client, last_key: str) -> tuple[bytes, ...]:
    """Return the certificate of the key with what stands above it: a restored server may have forgotten it."""
    identity = client.state.identity
    if identity is None or identity.key != last_key:
        return ()
    chain = (identity.certificate, *identity.chain)
    fits = len(chain) <= proof.MOST_CERTIFICATES and sum(map(len, chain)) <= proof.CHAIN_BYTES
    return chain if fits else ()


def _fingerprint(client: Client, wanted: Request) -> str:
    """Return SHA-256 of the public key, hex in groups of four: an administrator compares it with the console's."""
    digits = sha256(keys.spki(client.directory.keys.load(wanted.key))).hexdigest()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _send(client: Client, at: Door, wanted: Request) -> Reply:
    renewal = wanted.way is Way.RENEWAL
    sent = est.reenrol(wanted.der) if renewal else est.enrol(wanted.der, client.state.credential)
    _remember(client, msgspec.structs.replace(wanted, in_doubt=True))
    try:
        reply = exchange.ask(client, at, sent)
    except RefusedError as error:
        if error.status < 500:
            _after_refusal(client, wanted, error.status)
        raise
    if reply.status == 202:  # RFC 7030 §4.2.3
        _after_refusal(client, wanted, reply.status)
        message = "An administrator has to allow this."
        raise RefusedError(message, code="pending", status=reply.status, retry_after_s=reply.retry_after_s)
    return reply


def _after_refusal(client: Client, wanted: Request, status: int) -> None:
    if wanted.way is Way.RENEWAL:
        client.turn = 0
        if status == 401:  # this request alone may be wrong in any other case; a registration will show it
            refuse(client)
    elif not wanted.in_doubt:
        client.turn += 1
    if wanted.in_doubt:
        # An earlier answer may have been lost, and what it brought may not count any more: its key may still prove.
        _doubt(client, wanted.key)
    if status == 202:
        # Sent again as it is: an administrator compares its key, and allows that one.
        client.state.request = msgspec.structs.replace(wanted, in_doubt=False)
    elif wanted.in_doubt:
        client.state.request = None
    else:
        # Made anew with the same key: the nonce of a proof may have grown old.
        client.state.request = msgspec.structs.replace(wanted, der=b"")
    client.save()


def _doubt(client: Client, key: str) -> None:
    others = tuple(other for other in client.state.doubtful if other != key)
    client.state.doubtful = (*others, key)[-MOST_DOUBTFUL:]


def _remember(client: Client, wanted: Request) -> Request:
    client.state.request = wanted
    client.save()
    return wanted


def _keep(client: Client, identity: Identity, by: Way) -> None:
    client.directory.keys.certify(identity.key, (identity.certificate, *identity.chain))
    state = client.state
    state.identity, state.request, state.doubtful, state.move_at = identity, None, (), None
    client.turn = 0
    client.save()
    client.directory.keys.keep_only(state.keys)
    client.log.key("enrolled", client.state.name, f"{by}, below root {identity.root[:16]}")
