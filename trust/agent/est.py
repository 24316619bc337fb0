"""Enrolment over Secure Transport (RFC 7030), the client's half: paths, bodies, and what an answer holds."""

import base64
import binascii
from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from trust.agent.transport import Reply, Request
from trust.wire import signatures
from trust.wire.errors import WireError
from trust.wire.initfile import Enrolment

FOLDER = "/.well-known/est"
NONCE = Request("GET", "/v1/nonce")
CA_CERTIFICATES = Request("GET", f"{FOLDER}/cacerts")
ATTRIBUTES = Request("GET", f"{FOLDER}/csrattrs")
P256 = "1.2.840.10045.3.1.7"
CURVES = frozenset({P256, "1.3.132.0.34", "1.3.132.0.35"})
MOST_ATTRIBUTES = 16 * 1024
OBJECT_IDENTIFIER, CONSTRUCTED = 0x06, 0x20


def enrol(der: bytes, credential: Enrolment | None) -> Request:
    """Return the request of §4.2.1, with HTTP Basic (§3.2.3) if there is a credential."""
    headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
    if credential:
        pair = f"{credential.id}:{credential.secret}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return Request("POST", f"{FOLDER}/simpleenroll", base64.b64encode(der), headers)


def reenrol(der: bytes) -> Request:
    """Return the request of §4.2.2: the certificate in the handshake speaks for it."""
    headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
    return Request("POST", f"{FOLDER}/simplereenroll", base64.b64encode(der), headers)


def certificates(reply: Reply) -> tuple[bytes, ...]:
    """Return the certificates (DER) of a certs-only answer (§4.1.3, §4.2.3); raises WireError."""
    try:
        found = pkcs7.load_der_pkcs7_certificates(_decoded(reply))
    except signatures.UNREADABLE as error:
        raise WireError("The answer is no certs-only PKCS#7.", code="bad-certificates") from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in found)


def attributes(reply: Reply) -> frozenset[str]:
    """Return every object identifier that CsrAttrs names (§4.5.2), at whatever depth; raises WireError."""
    der = _decoded(reply)
    if len(der) > MOST_ATTRIBUTES:
        raise WireError("The answer is too long for CsrAttrs.", code="bad-attributes")
    try:
        return frozenset(_identifiers(der))
    except (ValueError, IndexError) as error:
        raise WireError("The answer is no CsrAttrs.", code="bad-attributes") from error


def wants_another_key(names: frozenset[str]) -> bool:
    """Tell whether the attributes ask for a curve, and none that this client makes."""
    return bool(names & CURVES) and P256 not in names


def _identifiers(der: bytes) -> Iterator[str]:
    waiting = [der]  # a list, for who nests without end would end a recursion
    while waiting:
        if not (der := waiting.pop()):
            continue
        tag, start, end = _header(der)
        if tag == OBJECT_IDENTIFIER:
            yield _dotted(der[start:end])
        elif tag & CONSTRUCTED:
            waiting.append(der[start:end])
        waiting.append(der[end:])


def _header(der: bytes) -> tuple[int, int, int]:
    # ITU-T X.690 §8.1.3: a length of up to 127, or its own number of octets first.
    start, length = 2, der[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError("truncated")
    return der[0], start, start + length


def _dotted(content: bytes) -> str:
    # ITU-T X.690 §8.19: seven bits an octet, the last one without the high bit; the first number holds two.
    numbers, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _decoded(reply: Reply) -> bytes:
    try:
        return base64.b64decode(b"".join(reply.body.split()), validate=True)
    except binascii.Error as error:
        raise WireError("The answer is no base64.", code="bad-base64") from error
