"""The listener as clients meet it."""

from tests.fixtures.listener import Listener


def test_it_answers_over_tls(listener: Listener) -> None:
    with_tls = listener.connect()
    with_tls.request("GET", "/health/live")
    answer = with_tls.getresponse()
    assert (answer.status, answer.read()) == (200, b"live\n")
    with_tls.request("GET", "/nothing")
    answer = with_tls.getresponse()
    assert (answer.status, answer.read()) == (404, b"There is nothing here.\n")
