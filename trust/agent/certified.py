"""Whether an issued certificate is the one that was asked for, and what stands above it."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from trust import anchors
from trust.agent import est, exchange, keys
from trust.agent.client import Client
from trust.agent.state import Identity, Request
from trust.agent.transport import Door, Reply
from trust.wire import signatures
from trust.wire.errors import WireError

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string


def judge(client: Client, at: Door, wanted: Request, reply: Reply, authorities: tuple[bytes, ...]) -> Identity:
    """Return the new identity, with the intermediate that signed it (KEY-45, KEY-58).

    The certificate must be for this key and this name, and lead to a root that is held; raises WireError otherwise.
    `authorities` are from cacerts; if they do not fit they are asked for once more, for they may have changed between
    the two requests.
    """
    spki = keys.spki(client.directory.keys.load(wanted.key))
    issued = [der for der in est.certificates(reply) if signatures.spki(signatures.certificate_of(der)) == spki]
    if not issued or client.state.name not in _names(issued[0]):
        raise WireError("The certificate is for another key or another name.", code="foreign-certificate")
    leaf = issued[0]
    if not anchors.leads_to((leaf, *authorities), client.state.held, CLIENT_AUTH):
        authorities = est.certificates(exchange.ask(client, at, est.CA_CERTIFICATES))
    if not anchors.leads_to((leaf, *authorities), client.state.held, CLIENT_AUTH):
        raise WireError("The certificate does not lead to a root that is held.", code="foreign-certificate")
    intermediate = _issuer(leaf, authorities)
    root = _issuer(intermediate, (*authorities, *client.state.roots.values()))
    above = signatures.fingerprint(signatures.certificate_of(root))
    return Identity(wanted.key, leaf, (intermediate,), above, client.clock())


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
    except (x509.ExtensionNotFound, *signatures.UNREADABLE):
        return set()
    return {name.lower() for name in found.get_values_for_type(x509.DNSName)}
