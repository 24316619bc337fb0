"""What a client remembers: one file, `state.json`, 0600. Private keys stand beside it, never in it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from trust.anchors import Held
from trust.wire.initfile import Address, Enrolment
from trust.wire.messages import Answer


class Way(StrEnum):
    """How a certificate is asked for; each tells what the server judges the request by."""

    FIRST = "first"  # the credential of the infrastructure configuration file
    RENEWAL = "renewal"  # the certificate, in the handshake
    PROOF = "proof"  # a signature of the last key over the server's nonce


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The certificate that counts: DER, what leads from it to a root, and the fingerprint of that root.

    `key` names the file of the private key. `refused`: the server said that it does not take the certificate.
    """

    key: str
    certificate: bytes
    chain: tuple[bytes, ...]
    root: str
    certified_at: datetime
    refused: bool = False


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request (PKCS#10, DER) that may have reached the server: until it is answered, the same one is sent again.

    `last_key` names the key that proves it. `in_doubt`: it was sent and no answer came, so that its key may have been
    certified; the other keys of which that is known are `State.doubtful`.
    """

    key: str
    der: bytes
    way: Way
    last_key: str = ""
    in_doubt: bool = False


class Sequences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest sequence seen of each kind of document; `own_…` are those for this client alone."""

    trust_list: int = 0
    settings: int = 0
    own_settings: int = 0
    directive: int = 0
    own_directive: int = 0
    question: int = 0


class Layers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings by where they come from; a later layer wins."""

    preset: dict[str, int | str] = {}
    general: dict[str, int | str] = {}
    own: dict[str, int | str] = {}


class State(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`counter` is reserved ahead: no registration so far had a higher one.

    `trust_list` is the payload of the newest trust list, `newest` the fingerprint of the root that signed it.
    `say_anew`: what is held has changed, so that the next registration is a full one. `move_at` is when to ask for a
    certificate below `newest`, within `move_within_s` by the server's last word; `answers` wait to be sent.
    `clock_ahead_s` is how far this machine's clock was ahead of the server's. `connect` is where every server is
    reached, if not by its own name. `public_key` (DER), `tls_failures` and `tls_after` are those of protocol 314.
    """

    name: str
    protocol: int
    servers: tuple[Address, ...]
    connect: Address | None = None
    init_sha256: str = ""
    made_at: datetime | None = None
    credential: Enrolment | None = None
    public_key: bytes = b""
    roots: dict[str, bytes] = {}
    revoked: tuple[str, ...] = ()
    newest: str = ""
    trust_list: bytes = b""
    identity: Identity | None = None
    request: Request | None = None
    doubtful: tuple[str, ...] = ()
    client_id: str = ""
    counter: int = 0
    sequences: Sequences = Sequences()
    layers: Layers = Layers()
    next_full: datetime | None = None
    say_anew: bool = False
    move_at: datetime | None = None
    move_within_s: int = 0
    answers: tuple[Answer, ...] = ()
    clock_ahead_s: float = 0.0
    tls_failures: int = 0
    tls_after: datetime | None = None

    @property
    def keys(self) -> set[str]:
        """The names of the private keys that are still needed."""
        return {*self.doubtful, *(held.key for held in (self.identity, self.request) if held)}

    def wait_for_nothing(self, now: datetime) -> None:
        """Begin anew what waits: a clock that has been set since may have said until when."""
        self.next_full = None
        self.move_at = min(self.move_at, now) if self.move_at else None
        self.tls_after = min(self.tls_after, now) if self.tls_after else None

    @property
    def held(self) -> Held:
        """The roots, as `trust.anchors` takes them."""
        return Held(self.roots, frozenset(self.revoked))

    def hold(self, held: Held) -> None:
        """Take what `trust.anchors` decided."""
        self.roots = dict(held.roots)
        self.revoked = tuple(sorted(held.revoked))
