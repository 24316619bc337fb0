"""A server in memory that keeps docs/client-protocol.md, and a way to it without a network: real keys and signatures.

What decides on time, on loss and on order is tested against it, with a clock that tests turn. TLS, HTTP and the real
endpoints have tests of their own.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from tests.trust import authorities
from tests.trust.authorities import MESSAGE_SIGNING, TLS, Holder
from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.agent.errors import CertificateRefusedError, ServerNotTrustedError, UnreachableError
from trust.agent.transport import Door, Reply, Request
from trust.anchors import Held, reachable
from trust.wire import initfile, proof, signatures
from trust.wire.documents import Directive, Question, RevokedRoot, Settings
from trust.wire.initfile import Address, Content, Enrolment, Signed
from trust.wire.messages import Answer, Nonce, Refusal, Registered, Registration
from trust.wire.signed import Envelope, Kind

NAME = "server.example"
SECRET = "a-secret-that-shows-nowhere"
START = datetime(2026, 11, 22, 8, tzinfo=UTC)
# SEQUENCE { SEQUENCE { id-ecPublicKey, SET { secp256r1 } }, ecdsa-with-SHA256 }
CSRATTRS = bytes.fromhex("3021301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302")
ENROLMENTS = ("simpleenroll", "simplereenroll")
PROOF = x509.ObjectIdentifier(proof.ATTRIBUTE)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **length: float) -> None:
        self.now += timedelta(**length)


@dataclass
class Server:
    """`issued` maps the digest of a request to its certificate; `refuse` answers instead, by path.

    `is_lied_about`: its answers say that every client proved who it is.
    """

    clock: Clock
    hours: int = 7 * 24
    roots: list[Holder] = field(default_factory=list)
    crosses: list[bytes] = field(default_factory=list)
    gone: list[RevokedRoot] = field(default_factory=list)
    issued: dict[bytes, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)
    nonces: set[bytes] = field(default_factory=set)
    chains: list[list[x509.Certificate]] = field(default_factory=list)
    documents: list[Envelope] = field(default_factory=list)
    registrations: list[tuple[Registration, Door]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refuse: dict[str, Reply] = field(default_factory=dict)
    require_tls: bool = True
    csrattrs: bytes = CSRATTRS
    sequence: int = 0
    brings_everything: bool = False
    move_within_s: int = 6 * 3600
    mistrusted: set[str] = field(default_factory=set)
    fqdn: str = NAME
    is_lied_about: bool = False

    def __post_init__(self) -> None:
        self.rotate()

    # What an administrator does

    def rotate(self) -> Holder:
        new = authorities.root(f"{NAME} Root {len(self.roots) + len(self.gone)}")
        for old in self.roots:
            self.crosses += [authorities.cross(new, by=old), authorities.cross(old, by=new)]
        self.roots.append(new)
        self.intermediate = authorities.below(new, "intermediate", is_ca=True, purposes=TLS)
        self.signer = authorities.below(new, "messages", purposes=(MESSAGE_SIGNING,))
        self.publish()
        return new

    def revoke(self, root: Holder, *, compromised: bool = False) -> None:
        self.roots.remove(root)
        self.gone.append(authorities.revoked(root, compromised=compromised))
        if compromised:
            self.mistrusted.add(root.fingerprint)
        self.publish()

    def publish(self) -> Envelope:
        self.sequence += 1
        crosses = [der for der in self.crosses if not self._mistrusts(der)]
        listed = authorities.trust_list(self.roots, crosses, self.gone, sequence=self.sequence)
        found = authorities.envelope(Kind.TRUST_LIST, listed, self.roots[-1])
        self.documents = [one for one in self.documents if one.kind is not Kind.TRUST_LIST] + [found]
        return found

    def tell(self, settings: dict[str, int | str], *, audience: str = "*", sequence: int = 1) -> Envelope:
        said = Settings(**self._header(sequence, audience), settings=settings)
        return self._say(Kind.SETTINGS, said)

    def order(
        self,
        order: Literal["reset-trust", "re-enrol"],
        *,
        audience: str = "*",
        sequence: int = 1,
        trust_list: int = 0,
    ) -> Envelope:
        said = Directive(**self._header(sequence, audience), order=order, trust_list=trust_list)
        return self._say(Kind.DIRECTIVE, said)

    def ask(self, asked: str, *, sequence: int = 1) -> str:
        question = str(uuid4())
        self._say(Kind.QUESTION, Question(**self._header(sequence, "*"), question=question, asked=asked))
        return question

    def init_file(self, roots: list[Holder] | None = None, settings: dict[str, int | str] | None = None) -> bytes:
        content = Content(
            version="test",
            made_at=self.clock(),
            servers=(Address(self.fqdn, 17472, 17473),),
            roots=tuple(root.listed for root in roots or self.roots),
            enrolment=Enrolment("credential", SECRET),
            settings=settings or {},
        )
        raw = initfile.payload(content)
        signer = (roots or self.roots)[-1]
        return initfile.encode(Signed(raw, signer.sign(initfile.signed_bytes(raw)), signer.der))

    # What the network does

    def answer(self, door: Door, request: Request) -> Reply:
        self.asked.append(request.path)
        presented = self._handshake(door)
        if request.path in self.refuse:
            return self.refuse[request.path]
        endpoints: dict[str, Callable[[], Reply]] = {
            "cacerts": self._cacerts,
            "csrattrs": lambda: Reply(200, "application/csrattrs", base64.b64encode(self.csrattrs)),
            "nonce": self._nonce,
            "simpleenroll": lambda: self._enrol(base64.b64decode(request.body), request, presented),
            "simplereenroll": lambda: self._enrol(base64.b64decode(request.body), request, presented),
            "registrations": lambda: self._register(door, request, presented),
            "answers": lambda: self._answer(msgspec.json.decode(request.body, type=Answer)),
        }
        return endpoints[request.path.rsplit("/", 1)[-1]]()

    def _cacerts(self) -> Reply:
        roots = [root.der for root in self.roots]
        return _certs_only([self.intermediate.der, *roots, *self.crosses])

    def _nonce(self) -> Reply:
        nonce = secrets.token_bytes(16)
        self.nonces.add(nonce)
        return _json(Nonce(nonce=nonce, valid_s=300))

    def _answer(self, answer: Answer) -> Reply:
        self.answers.append(answer)
        return Reply(204, "", b"")

    def _handshake(self, door: Door) -> x509.Certificate | None:
        if door.tls is None:
            return None
        held = Held({signatures.fingerprint(signatures.certificate_of(der)): der for der in door.tls.roots})
        crosses = [der for der in self.crosses if not self._mistrusts(der)]
        if self.roots[-1].fingerprint not in reachable(held, crosses):
            raise ServerNotTrustedError("The server is not trusted: self-signed certificate in certificate chain.")
        if door.tls.certificate is None:
            return None
        leaf, *chain = x509.load_pem_x509_certificates(door.tls.certificate.read_bytes())
        active = {root.fingerprint: root.certificate for root in self.roots}
        is_good = any(_is_signed_by(chain[0], root) for root in active.values()) and _is_signed_by(leaf, chain[0])
        if not is_good or self.clock() >= leaf.not_valid_after_utc:
            raise CertificateRefusedError("The server does not take the certificate of this client (ALERT).")
        return leaf

    def _enrol(self, der: bytes, request: Request, presented: x509.Certificate | None) -> Reply:
        csr = x509.load_der_x509_csr(der)
        assert csr.is_signature_valid
        name = str(csr.subject.rfc4514_string()).removeprefix("CN=")
        if der in self.issued:
            return _certs_only([self.issued[der]])
        if not self._may(csr, name, request, presented):
            return Reply(202, "text/plain", b"", 600)
        self.allowed.discard(name)
        leaf = authorities.certificate(
            name,
            csr.public_key(),  # type: ignore[arg-type]
            issuer=self.intermediate.name,
            by=self.intermediate.key,
            purposes=TLS,
            dns=name,
            until=self.clock().replace(microsecond=0) + timedelta(hours=self.hours),
        )
        self.issued[der] = leaf
        self.names[name] = signatures.fingerprint(signatures.certificate_of(leaf))
        return _certs_only([leaf])

    def _may(
        self, csr: x509.CertificateSigningRequest, name: str, request: Request, presented: x509.Certificate | None
    ) -> bool:
        if request.path.endswith("simplereenroll"):
            return presented is not None
        offered = [attribute.value for attribute in csr.attributes if attribute.oid == PROOF]
        if offered:
            held = proof.decode(offered[0])
            leaves = [signatures.certificate_of(der) for der in self.issued.values()]
            last = next((leaf for leaf in leaves if signatures.fingerprint(leaf) == held.last_key), None)
            # The last key is the one that was certified last, whether its certificate arrived or not.
            if last is None or held.nonce not in self.nonces or self.names.get(name) != held.last_key:
                return name in self.allowed
            if held.chain:  # of the certificate that arrived; a key of which none did has no chain
                self.chains.append([signatures.certificate_of(der) for der in held.chain])
                assert signatures.fingerprint(self.chains[-1][0]) == held.last_key
            spki = signatures.spki(csr)  # type: ignore[arg-type]
            signatures.verify(held.signature, proof.signed_bytes(held.nonce, name, spki), last)
            return True
        expected = base64.b64encode(f"credential:{SECRET}".encode()).decode()
        assert request.headers["Authorization"] == f"Basic {expected}"
        return name not in self.names or name in self.allowed

    def _register(self, door: Door, request: Request, presented: x509.Certificate | None) -> Reply:
        said = msgspec.json.decode(request.body, type=Registration)
        if self.require_tls and door.tls is None:
            return _json(Refusal(code="tls-required", message="Client 7.4 or later must use TLS."), 403)
        highest = max((other.counter for other, _door in self.registrations), default=0)
        if said.counter <= highest:
            return _json(Refusal(code="replayed", message="Known.", counter=highest), 409)
        self.registrations.append((said, door))
        newer = [one for one in self.documents if self.brings_everything or self._is_newer(one, said)]
        return _json(
            Registered(
                registered_as="id-of-client",
                authenticated=presented is not None or self.is_lied_about,
                server=NAME,
                server_time=self.clock(),
                next_s=60,
                move_within_s=self.move_within_s,
                documents=tuple(newer),
            )
        )

    def _is_newer(self, one: Envelope, said: Registration) -> bool:
        payload = json.loads(one.payload)
        own = payload["audience"] != "*" and one.kind is not Kind.QUESTION
        place = ("own_" if own else "") + one.kind.replace("-", "_")
        return bool(payload["sequence"] > getattr(said, place))

    def _mistrusts(self, der: bytes) -> bool:
        found = x509.load_der_x509_certificate(der)
        key = signatures.fingerprint(found)
        by = [gone.name for gone in self.gone if gone.compromised]
        return key in self.mistrusted or any(found.issuer.rfc4514_string() == f"CN={name}" for name in by)

    def _header(self, sequence: int, audience: str) -> dict[str, Any]:
        expires = self.clock() + timedelta(days=7)
        return {
            "server": NAME,
            "audience": audience,
            "sequence": sequence,
            "issued_at": self.clock(),
            "expires_at": expires,
        }

    def _say(self, kind: Kind, said: Settings | Directive | Question) -> Envelope:
        found = authorities.envelope(kind, said, self.signer)
        self.documents.append(found)
        return found


@dataclass
class Wire:
    """The way to the server. `before` and `after` may raise: the request is lost, or the answer."""

    server: Server
    before: Callable[[Door, Request], None] = lambda _door, _request: None
    after: Callable[[Door, Request, Reply], None] = lambda _door, _request, _reply: None
    closed: int = 0

    def send(self, door: Door, request: Request) -> Reply:
        self.before(door, request)
        reply = self.server.answer(door, request)
        self.after(door, request, reply)
        return reply

    def close(self) -> None:
        self.closed += 1


def offline(_door: Door, _request: Request) -> None:
    raise UnreachableError("Nobody answers at port 17472 (TimeoutError).")


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def begin(folder: Path, server: Server, wire: Wire, *, name: str = "client.example", raw: bytes = b"") -> Agent:
    """Return an agent that has begun with the server's init file, or goes on where it was."""
    beginning.from_init(Directory(folder), raw or server.init_file(), name=name)
    return Agent(folder, clock=server.clock, transport=wire, jitter=middle)


def run(agent: Agent, clock: Clock, until: Callable[[], bool], *, steps: int = 400) -> None:
    """Turn the clock to whatever is due next, until something holds."""
    for _ in range(steps):
        clock.now = max(clock.now, agent.step())
        if until():
            return
    raise AssertionError("It never came to that.")


def again(agent: Agent, clock: Clock, wire: Wire) -> Agent:
    """Return the client as it is after a restart."""
    return Agent(agent.folder, clock=clock, transport=wire, jitter=middle)


def enrolments(server: Server) -> list[str]:
    return [path.rsplit("/", 1)[-1] for path in server.asked if path.endswith(ENROLMENTS)]


def root_of(agent: Agent) -> str:
    assert agent.state.identity
    return agent.state.identity.root


def log_of(folder: Path, name: str = "pki.log") -> str:
    path = folder / "Logs" / name
    return path.read_text() if path.exists() else ""


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - whatever it is, it is not signed
        return False
    return True


def _json(body: msgspec.Struct, status: int = 200) -> Reply:
    return Reply(status, "application/json", msgspec.json.encode(body))


def _certs_only(ders: list[bytes]) -> Reply:
    found = [x509.load_der_x509_certificate(der) for der in ders]
    return Reply(200, "application/pkcs7-mime", base64.b64encode(pkcs7.serialize_certificates(found, Encoding.DER)))
