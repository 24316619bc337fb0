"""What worker and module host say to each other: MessagePack frames over a socket pair, strictly in turns.

A frame is a length (4 bytes, big-endian) and one message, at most MAX_FRAME_BYTES. A listing is several frames; the
last one says so. The host decodes only `Request`, the worker only `Reply`: anything else ends the host.
"""

import socket
import struct
import time
from typing import TypeVar

import msgspec

from hsm.device import objectwire
from hsm.device.objectwire import PublicPart

MAX_FRAME_BYTES = 1 << 20
KEYS_PER_FRAME = 500
LENGTH = struct.Struct(">I")

_T = TypeVar("_T")


class KeyPart(msgspec.Struct, frozen=True, gc=False):
    """A key pair as the token describes it."""

    key_id: bytes
    label: str
    has_private: bool
    has_public: bool
    public: PublicPart | None
    sensitive: bool | None
    extractable: bool | None
    local: bool | None
    never_extractable: bool | None
    always_sensitive: bool | None


class TokenPart(msgspec.Struct, frozen=True, gc=False):
    """CK_TOKEN_INFO; `flags` are the values of TokenFlag."""

    slot_id: int
    label: str
    serial: str
    manufacturer: str
    model: str
    firmware: str
    flags: list[str]


class MechanismPart(msgspec.Struct, frozen=True, gc=False):
    """One mechanism and its range of key sizes, in bits."""

    name: str
    min_bits: int
    max_bits: int


# Requests


class Load(objectwire.Message, frozen=True):
    """Load the module and initialise it."""

    path: str


class Reset(objectwire.Message, frozen=True):
    """Finalise and initialise the module again: it forgets the login and sees new tokens."""


class ListTokens(objectwire.Message, frozen=True):
    """Read every token."""


class Login(objectwire.Message, frozen=True):
    """Find the token and log in, once. Both names must fit, so that no other token sees the PIN."""

    label: str
    serial: str
    pin: bytes


class Generate(objectwire.Message, frozen=True):
    """Make a key pair; `keep` False makes a session object, for a self-test."""

    key_id: bytes
    spec: str
    label: str
    keep: bool = True


class Find(objectwire.Message, frozen=True):
    """Look for a key pair."""

    key_id: bytes


class Sign(objectwire.Message, frozen=True):
    """Sign a digest."""

    key_id: bytes
    digest: bytes
    scheme: str


class Destroy(objectwire.Message, frozen=True):
    """Destroy both halves."""

    key_id: bytes


class ListKeys(objectwire.Message, frozen=True):
    """Read every key pair."""


class ListMechanisms(objectwire.Message, frozen=True):
    """Read what the token advertises."""


Request = (
    Load
    | Reset
    | ListTokens
    | Login
    | Generate
    | Find
    | Sign
    | Destroy
    | ListKeys
    | ListMechanisms
    | objectwire.Request
)


# Replies


class Ready(objectwire.Message, frozen=True):
    """The host is up, with nothing loaded."""


class Done(objectwire.Message, frozen=True):
    """Done; there is nothing to tell."""


class Loaded(objectwire.Message, frozen=True):
    """The module is loaded."""

    manufacturer: str
    description: str
    library_version: str
    cryptoki_version: str


class Tokens(objectwire.Message, frozen=True):
    """Every token."""

    tokens: list[TokenPart]


class LoggedIn(objectwire.Message, frozen=True):
    """The login worked."""

    token: TokenPart


class Found(objectwire.Message, frozen=True):
    """A key pair, or that there is none."""

    key: KeyPart | None


class Signed(objectwire.Message, frozen=True):
    """The signature as the token made it (ECDSA: r and s, each as long as the group order)."""

    signature: bytes


class Keys(objectwire.Message, frozen=True):
    """A part of a listing; `more` says whether another part follows."""

    keys: list[KeyPart]
    more: bool


class Mechanisms(objectwire.Message, frozen=True):
    """What the token advertises."""

    mechanisms: list[MechanismPart]


class Failed(objectwire.Message, frozen=True):
    """It failed: `code` as in `codes.CODES`."""

    code: str
    detail: str = ""
    outcome_unknown: bool = False


Reply = Ready | Done | Loaded | Tokens | LoggedIn | Found | Signed | Keys | Mechanisms | Failed | objectwire.Reply


def may_have_changed(request: Request) -> bool:
    """Say whether the outcome is unknown when the answer to this request is lost."""
    return isinstance(request, objectwire.UNREPEATABLE) or (isinstance(request, Generate) and request.keep)


_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_reply_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


class ProtocolError(Exception):
    """The other side sent something that is not a frame."""


class Channel:
    """One end of the socket pair. Raises EOFError when the other end is gone, TimeoutError at the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()

    def send(self, message: Request | Reply, *, deadline: float | None = None) -> None:
        """Send one message; `deadline` is a time of time.monotonic()."""
        frame = bytearray(LENGTH.size)
        _encoder.encode_into(message, frame, LENGTH.size)
        if len(frame) - LENGTH.size > MAX_FRAME_BYTES:
            raise ProtocolError("The message is too large.")
        LENGTH.pack_into(frame, 0, len(frame) - LENGTH.size)
        self._wait_until(deadline)
        try:
            self._sock.sendall(frame)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError from error
        finally:
            frame[:] = bytes(len(frame))  # the frame may have carried a PIN

    def receive_request(self) -> Request:
        """Wait for the worker, without end."""
        return self._decode(_request_decoder, None)

    def receive_reply(self, deadline: float | None) -> Reply:
        """Wait for the host until the deadline."""
        return self._decode(_reply_decoder, deadline)

    def close(self) -> None:
        """Close this end."""
        self._sock.close()

    def _decode(self, decoder: msgspec.msgpack.Decoder[_T], deadline: float | None) -> _T:
        (length,) = LENGTH.unpack(self._take(LENGTH.size, deadline))
        if length > MAX_FRAME_BYTES:
            raise ProtocolError("The frame is too large.")
        payload = self._take(length, deadline)
        try:
            return decoder.decode(payload)
        except msgspec.MsgspecError as error:
            raise ProtocolError("The frame is not a message.") from error
        finally:
            payload[:] = bytes(len(payload))

    def _take(self, count: int, deadline: float | None) -> bytearray:
        while len(self._buffer) < count:
            self._wait_until(deadline)
            try:
                chunk = self._sock.recv(65536)
            except ConnectionResetError as error:
                raise EOFError from error
            if not chunk:
                raise EOFError
            self._buffer += chunk
        taken = self._buffer[:count]
        del self._buffer[:count]
        return taken

    def _wait_until(self, deadline: float | None) -> None:
        if deadline is None:
            self._sock.settimeout(None)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
