"""What `./run fuzz` throws bytes at: each reader of what comes from outside, and what it begins with.

What a reader may raise is in its entry; anything else is a fault. The seeds are what honest peers send, so that the
fuzzer starts behind the first checks; the suite sees to it that each is accepted (test_targets.py).
"""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from console.lib.errors import InvalidError
from keys.names import common_name
from tests.fuzz import client
from tests.trust import authorities
from tests.trust.authorities import TLS
from tests.trust.clients.est.requesting import csr, new_key, proven
from trust import anchors
from trust.agent import est
from trust.agent.transport import Reply
from trust.anchors import Held
from trust.clients.est import wire
from trust.wire import documents, initfile, messages, names, proof, signatures, signed
from trust.wire.errors import WireError
from trust.wire.signed import Kind

ROOT = authorities.root("server.example Root 0")
NEXT = authorities.root("server.example Root 1")
INTERMEDIATE = authorities.below(ROOT, "intermediate", is_ca=True, purposes=TLS)
LEAF = authorities.below(INTERMEDIATE, "pc1.example.com", purposes=TLS, dns="pc1.example.com")
HELD = Held({ROOT.fingerprint: ROOT.der})
LONG = ".".join(["a" * 60] * 3)


@dataclass(frozen=True)
class Target:
    """`read` may raise `expected`; `seeds` raise nothing."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    expected: tuple[type[Exception], ...] = (WireError,)

    def test(self, raw: bytes) -> None:
        """Read; raise what nobody expects."""
        with suppress(*self.expected):
            self.read(raw)


def requests() -> list[bytes]:
    """Return certificate requests, DER: plain, with a proof, with a long name, of each kind of key."""
    long = csr(common_name(LONG), hosts=[LONG])
    keys = (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048))
    others = [csr("pc1.example.com", key, hosts=["PC1.example.com"], digest=hashes.SHA384()) for key in keys]
    return [csr("pc1.example.com"), proven("pc1.example.com", new_key(), new_key(), b"n" * 56), long, *others]


def proofs() -> list[bytes]:
    """Return the JSON of a proof of the last key."""
    return [msgspec.json.encode(proof.Proof(b"n" * 56, "0f" * 32, new_key().sign(b"", ec.ECDSA(hashes.SHA256()))))]


def believe(raw: bytes) -> None:
    """Meet a certificate in every place of a chain, as a client does."""
    signatures.certificate_of(raw)
    anchors.leads_to((raw, INTERMEDIATE.der), HELD, TLS[0])
    anchors.leads_to((LEAF.der, raw), HELD, TLS[0])
    anchors.reachable(HELD, (raw,))
    with suppress(WireError):
        anchors.root_certificates((raw,))
    with suppress(WireError):
        signed.check(signed.Envelope(Kind.QUESTION, b"", b"", raw))


def certificates() -> list[bytes]:
    """Return certificates, DER."""
    return [ROOT.der, INTERMEDIATE.der, LEAF.der, authorities.cross(NEXT, by=ROOT)]


def bags() -> list[bytes]:
    """Return certs-only PKCS#7, DER."""
    found = [ROOT.certificate, INTERMEDIATE.certificate]
    return [pkcs7.serialize_certificates(found[:count], client.DER) for count in (1, 2)]


def bodies() -> list[bytes]:
    """Return what a listener reads as JSON."""
    said = messages.Registration(name="pc1.example.com", protocol=315, version="8.0", counter=1, roots=("0f" * 32,))
    answer = messages.Answer(question="0" * 36, value="pc1.example.com")
    return [msgspec.json.encode(body) for body in (said, answer)]


def read_body(raw: bytes) -> None:
    """Read a body as a registration and as an answer."""
    kinds = (messages.Registration, messages.Answer)
    found = [kind for kind in kinds if _is_read(raw, kind)]
    if not found:
        raise WireError("Neither.", code="bad-body")


def _is_read(raw: bytes, kind: type[msgspec.Struct]) -> bool:
    try:
        messages.decode(raw, kind)
    except WireError:
        return False
    return True


def payloads() -> list[bytes]:
    """Return the payload of each kind of document, after a byte that names the kind."""
    return [bytes([client.KINDS.index(one.kind)]) + one.payload for one in client.documents()]


def read_payload(raw: bytes) -> None:
    """Read a payload of the kind that the first byte names."""
    kind = client.KINDS[raw[0] % len(client.KINDS)] if raw else Kind.TRUST_LIST
    documents.decode(raw[1:], documents.PAYLOADS[kind])


def encoded(read: Callable[[bytes], object], raw: bytes) -> object:
    """Let a fuzzer mutate what stands behind the base64."""
    return read(base64.b64encode(raw))


def replied(read: Callable[[Reply], object], raw: bytes) -> object:
    """Read the body of an answer."""
    return read(Reply(200, "", base64.b64encode(raw)))


TARGETS: dict[str, Target] = {
    "request-der": Target(partial(encoded, wire.read_request), requests, (WireError, InvalidError)),
    "request-body": Target(
        wire.read_request, lambda: [base64.b64encode(der) for der in requests()], (WireError, InvalidError)
    ),
    "proof": Target(partial(encoded, proof.decode), proofs),
    "body": Target(read_body, bodies),
    "name": Target(
        lambda raw: names.client_name(raw.decode("utf-8", "replace")), lambda: [b"pc1.example.com", b"PC-1."]
    ),
    "init-file": Target(lambda raw: initfile.decode(initfile.FIRST_LINE + raw), client.init_files),
    "envelope": Target(signed.decode, lambda: [signed.encode(one) for one in client.documents()]),
    "payload": Target(read_payload, payloads),
    "certificate": Target(believe, certificates),
    "est-certificates": Target(partial(replied, est.certificates), bags),
    "est-attributes": Target(partial(replied, est.attributes), lambda: [wire.CSRATTRS]),
    "http": Target(client.hear, client.answers, client.BROKEN),
    "reply": Target(client.register, client.replies, ()),
    "document": Target(client.take, payloads, ()),
}
