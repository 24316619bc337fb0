"""Frames between worker and host: bounded, and nothing but messages."""

import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.device import wire
from hsm.device.objectwire import PublicPart

KEY = wire.KeyPart(b"k" * 16, "label", True, True, PublicPart(modulus=b"m"), True, False, None, True, True)  # noqa: FBT003


@pytest.fixture
def ends() -> Iterator[tuple[wire.Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield wire.Channel(ours), theirs


@pytest.mark.parametrize(
    "message",
    [
        wire.Login("alpha", "9b29", b"1234"),
        wire.Generate(b"k" * 16, "ec-p384", "Root 1"),
        wire.Sign(b"k" * 16, bytes(48), "ecdsa-sha384"),
        wire.Load("/x.so"),
        wire.Reset(),
    ],
)
def test_a_request_arrives_as_it_was_sent(message: wire.Request) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.Channel(ours).send(message)
        assert wire.Channel(theirs).receive_request() == message


@given(chunks=st.lists(st.integers(1, 50), max_size=40))
def test_a_frame_may_arrive_in_pieces(chunks: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reply = wire.Keys([KEY, KEY], more=False)
        payload = msgspec.msgpack.encode(reply)
        data = wire.LENGTH.pack(len(payload)) + payload

        def send() -> None:
            rest = data
            for size in chunks:
                theirs.sendall(rest[:size])
                rest = rest[size:]
            theirs.sendall(rest)

        thread = threading.Thread(target=send)
        thread.start()
        received = wire.Channel(ours).receive_reply(time.monotonic() + 10)
        thread.join()
        assert received == reply


@given(noise=st.binary(max_size=200))
def test_noise_is_no_message(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(noise)
        theirs.close()
        with pytest.raises((wire.ProtocolError, EOFError)):
            while True:
                wire.Channel(ours).receive_request()


def test_a_frame_that_is_too_large_is_not_read(ends: tuple[wire.Channel, socket.socket]) -> None:
    channel, other = ends
    other.sendall(wire.LENGTH.pack(wire.MAX_FRAME_BYTES + 1))
    with pytest.raises(wire.ProtocolError):
        channel.receive_reply(time.monotonic() + 10)


def test_a_message_that_is_too_large_is_not_sent(ends: tuple[wire.Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(wire.ProtocolError):
        channel.send(wire.Login("x", "x", bytes(wire.MAX_FRAME_BYTES)))


def test_a_reply_is_no_request(ends: tuple[wire.Channel, socket.socket]) -> None:
    channel, other = ends
    wire.Channel(other).send(wire.Done())
    with pytest.raises(wire.ProtocolError):
        channel.receive_request()


def test_silence_ends_at_the_deadline(ends: tuple[wire.Channel, socket.socket]) -> None:
    channel, other = ends
    other.sendall(b"\0")
    with pytest.raises(TimeoutError):
        channel.receive_reply(time.monotonic() + 0.05)


def test_a_closed_end_is_noticed(ends: tuple[wire.Channel, socket.socket]) -> None:
    channel, other = ends
    other.close()
    with pytest.raises(EOFError):
        channel.send(wire.Done())
    with pytest.raises(EOFError):
        channel.receive_reply(time.monotonic() + 10)
