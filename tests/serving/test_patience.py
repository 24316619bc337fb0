"""Answers leave in one piece, or not at all."""

import socket
from collections.abc import Iterator

import pytest

from serving.patience import PatientSocket


@pytest.fixture
def pair() -> Iterator[tuple[PatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with PatientSocket(ours.family, ours.type, ours.proto, fileno=ours.detach()) as patient, theirs:
        patient.wait(60)
        theirs.settimeout(0)
        yield patient, theirs


def test_the_pieces_of_an_answer_are_sent_together_at_its_end(pair: tuple[PatientSocket, socket.socket]) -> None:
    patient, theirs = pair
    with patient.in_one_piece():
        patient.sendall(b"head ")
        patient.sendall(b"body")
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
    assert theirs.recv(100) == b"head body"
    patient.sendall(b"by itself")
    assert theirs.recv(100) == b"by itself"


def test_of_an_answer_that_failed_nothing_is_sent(pair: tuple[PatientSocket, socket.socket]) -> None:
    patient, theirs = pair
    with pytest.raises(ZeroDivisionError), patient.in_one_piece():
        patient.sendall(b"half of it")
        raise ZeroDivisionError
    patient.sendall(b"what went wrong")
    assert theirs.recv(100) == b"what went wrong"
