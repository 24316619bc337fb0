"""Answers to questions. They wait on the disk until the server has them."""

import msgspec

from trust.agent import VERSIONS, exchange
from trust.agent.client import Client
from trust.agent.errors import RefusedError
from trust.agent.pkilog import Level
from trust.agent.transport import Request
from trust.wire.messages import Answer, Asked

MOST_ROOTS = 15  # 64 characters each, and an answer has 1,000
TRY_AGAIN = (408, 425, 429)
MOST_WAITING = 100
"""Without TLS questions come and no answer goes; what is dropped is the oldest, which is closed first."""


def answer_to(client: Client, asked: str) -> str:
    """Return what this client says to a question; an empty text to one that it does not know."""
    state = client.state
    match asked:
        case Asked.COMPUTER_NAME:
            return state.name
        case Asked.CLIENT_VERSION:
            return VERSIONS[state.protocol]
        case Asked.USING_TLS:
            return "Yes" if client.setting("TLSMode") else "No"
        case Asked.ROOT_KEYS_HELD:
            return " ".join(sorted(state.roots)[:MOST_ROOTS])
        case _:
            return ""


def keep(client: Client, answer: Answer) -> None:
    """Have an answer wait until it can be sent; the caller saves."""
    client.state.answers = (*client.state.answers, answer)[-MOST_WAITING:]


def send_answers(client: Client) -> None:
    """Send what waits, over TLS and with the certificate. Raises UnreachableError, and RefusedError if it may go later.

    An answer that the server will not have (the question is closed, or no longer there) is dropped.
    """
    while client.state.answers:
        answer, *others = client.state.answers
        body = msgspec.json.encode(answer)
        request = Request("POST", "/v1/answers", body, {"Content-Type": "application/json"})
        try:
            exchange.ask(client, exchange.door(client, certificate=True), request)
            client.log.key("question-answered", answer.question, "failed" if answer.failed else "ok")
        except RefusedError as error:
            if error.status >= 500 or error.status in TRY_AGAIN:
                raise
            client.log.key("answer-refused", answer.question, error.message, Level.WARNING)
        client.state.answers = tuple(others)
        client.save()
