"""How a client gets its certificate: for the first time, anew inside the renewal window, or by proof of its last key.

Whatever happens in between, the private key is on the disk before the request leaves, the request is on the disk
before it leaves, and the same request is sent until it is answered: the server answers it with the same certificate.
"""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from trust import anchors
from trust.agent import est, exchange, keys, request
from trust.agent.client import Client
from trust.agent.errors import RefusedError
from trust.agent.pkilog import Level
from trust.agent.state import Identity, Request, Way
from trust.agent.transport import Door, Reply
from trust.wire import signatures
from trust.wire.errors import WireError

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string
NOT_WITH_THIS_CERTIFICATE = (401, 403)
NOT_THIS_REQUEST = (400, 403, 404, 409, 413)


def way(client: Client) -> Way:
    """Return how a certificate can be asked for now."""
    if client.state.identity is None:
        return Way.FIRST
    return Way.RENEWAL if client.counts(client.state.identity) else Way.PROOF


def enrol(client: Client) -> None:
    """Get a certificate and keep it.

    Raises RefusedError (status 202: an administrator has to allow it first), UnreachableError, and WireError for an
    answer that does not hold.
    """
    by = way(client)
    at = exchange.door(client, certificate=by is Way.RENEWAL)
    authorities = est.certificates(exchange.ask(client, at, est.CA_CERTIFICATES))
    wanted = _request(client, at, by)
    client.log.key("certificate-requested", client.state.name, by)
    try:
        reply = _send(client, at, wanted)
    except RefusedError as error:
        _after_refusal(client, wanted, error)
        raise
    try:
        identity = _certified(client, at, wanted, reply, authorities)
    except WireError:
        client.state.request = None  # the same request would be answered with the same certificate
        client.save()
        raise
    _keep(client, identity, by)


def _request(client: Client, at: Door, by: Way) -> Request:
    waiting = client.state.request
    if waiting and waiting.way is by and waiting.der:
        return waiting
    store = client.directory.keys
    name = waiting.key if waiting else store.make()
    key = store.load(name)
    if by is Way.FIRST and est.wants_another_key(est.attributes(exchange.ask(client, at, est.ATTRIBUTES))):
        client.log.key("other-key-wanted", client.state.name, "this client makes EC P-256", Level.WARNING)
    identity = client.state.identity
    if by is Way.PROOF and identity:
        nonce = exchange.fresh_nonce(client, at)
        der = request.build(client.state.name, key, nonce=nonce, last_key=store.load(identity.key))
    else:
        der = request.build(client.state.name, key)
    client.state.request = Request(name, der, by)
    client.save()
    return client.state.request


def _send(client: Client, at: Door, wanted: Request) -> Reply:
    renewal = wanted.way is Way.RENEWAL
    sent = est.reenrol(wanted.der) if renewal else est.enrol(wanted.der, client.state.credential)
    reply = exchange.ask(client, at, sent)
    if reply.status == 202:  # RFC 7030 §4.2.3
        raise RefusedError(
            "An administrator has to allow this.", code="pending", status=202, retry_after_s=reply.retry_after_s
        )
    return reply


def _after_refusal(client: Client, wanted: Request, error: RefusedError) -> None:
    identity = client.state.identity
    if wanted.way is Way.RENEWAL and identity and error.status in NOT_WITH_THIS_CERTIFICATE:
        refuse(client)
    elif error.status in NOT_THIS_REQUEST:
        # The nonce of a proof may have grown old: the same key asks again with another.
        client.state.request = Request(wanted.key, b"", wanted.way) if wanted.way is Way.PROOF else None
        client.save()


def refuse(client: Client) -> None:
    """Remember that the server does not take the certificate: the next one is asked for by proof of its key."""
    identity = client.state.identity
    if identity and not identity.refused:
        client.log.key("certificate-refused", client.state.name, "asking by proof of the last key", Level.WARNING)
        client.state.identity = Identity(
            identity.key, identity.certificate, identity.chain, identity.root, identity.certified_at, refused=True
        )
        client.save()


def _certified(client: Client, at: Door, wanted: Request, reply: Reply, authorities: tuple[bytes, ...]) -> Identity:
    issued = est.certificates(reply)
    spki = keys.spki(client.directory.keys.load(wanted.key))
    mine = [der for der in issued if signatures.spki(signatures.certificate_of(der)) == spki]
    if not mine or client.state.name not in _names(mine[0]):
        raise WireError("The certificate is for another key or another name.", code="foreign-certificate")
    if not anchors.leads_to((mine[0], *authorities), client.state.held, CLIENT_AUTH):
        # The authorities may have changed between the two requests.
        authorities = est.certificates(exchange.ask(client, at, est.CA_CERTIFICATES))
    if not anchors.leads_to((mine[0], *authorities), client.state.held, CLIENT_AUTH):
        raise WireError("The certificate does not lead to a root that is held.", code="foreign-certificate")
    intermediate = _issuer(mine[0], authorities)
    root = _issuer(intermediate, (*authorities, *client.state.roots.values()))
    fingerprint = signatures.fingerprint(signatures.certificate_of(root))
    return Identity(wanted.key, mine[0], (intermediate,), fingerprint, client.clock())


def _keep(client: Client, identity: Identity, by: Way) -> None:
    client.directory.keys.certify(identity.key, (identity.certificate, *identity.chain))
    client.state.identity, client.state.request, client.state.move_at = identity, None, None
    client.save()
    client.directory.keys.keep_only({identity.key})
    client.log.key("enrolled", client.state.name, f"{by}, below root {identity.root[:16]}")


def _issuer(der: bytes, among: tuple[bytes, ...]) -> bytes:
    certificate = signatures.certificate_of(der)
    for other in among:
        if other != der and anchors.is_signed_by(certificate, signatures.certificate_of(other)):
            return other
    raise WireError("The server does not name the issuer of the certificate.", code="foreign-certificate")


def _names(der: bytes) -> set[str]:
    certificate = signatures.certificate_of(der)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return {name.lower() for name in found.get_values_for_type(x509.DNSName)}
