"""The database goes away under the listener and comes back: each thread of it finds its way back, too."""

import base64
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.fixtures.listener import Listener, NamedConnection
from tests.trust.clients.est.requesting import basic, csr
from trust.listening import gunicorn_conf

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 48
THREADS = gunicorn_conf.threads  # of one process (tests.fixtures.listener)
NOBODY = "00000000-0000-4000-8000-000000000001"


Question = tuple[str, str, bytes | None, dict[str, str]]
BY_THE_ORM: Question = ("GET", f"/crl/{'0' * 40}.crl", None, {})
BY_PREPARED_STATEMENTS: Question = (
    "POST",
    "/.well-known/est/simpleenroll",
    base64.b64encode(csr("pc.example")),
    {"Content-Type": "application/pkcs10", "Authorization": basic(NOBODY, "wrong")},
)


def asked(https: NamedConnection, question: Question) -> int:
    try:
        https.request(*question)
        answer = https.getresponse()
        answer.read()
        assert answer.status != 503 or answer.headers["Retry-After"]
        return answer.status
    finally:
        https.close()


def end_connections() -> None:
    """Do what a restart of PostgreSQL does to whoever is connected."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchall()


@pytest.mark.one_database
def test_a_database_that_says_nothing_holds_no_client_up(listener_of: Callable[..., Listener]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"postgresql://keystead@127.0.0.1:{silent.getsockname()[1]}/keystead"
        listener = listener_of(DATABASE_URL=url)
        listener.start()
        assert asked(listener.connect(timeout=25), BY_THE_ORM) == 503


@pytest.mark.only_on("postgresql")  # SQLite has no connections to lose
def test_every_thread_recovers_with_one_refusal_at_most(listener: Listener) -> None:
    context = listener.context()  # made here: it asks the database, and clients have none
    with ThreadPoolExecutor(AT_ONCE) as clients:

        def answers(question: Question) -> Counter[int]:
            connections = [listener.connect(context) for _ in range(AT_ONCE)]
            return Counter(clients.map(asked, connections, [question] * AT_ONCE))

        for question, usual in ((BY_THE_ORM, {404}), (BY_PREPARED_STATEMENTS, {401, 429})):
            assert set(answers(question)) <= usual  # each thread that serves has its connection now
            end_connections()
            refused = 0
            for _ in range(4):
                found = answers(question)
                assert set(found) <= usual | {503}, found
                refused += found[503]
            assert 0 < refused <= THREADS
