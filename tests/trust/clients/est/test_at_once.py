"""Several requests at the same moment, in several connections to the database."""

import base64
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from console.servers.models import Server
from tests.keys.conftest import ALICE
from tests.trust.clients.est.conftest import forget
from tests.trust.clients.est.requesting import Made, csr
from trust.clients import enrolment, pending
from trust.clients.credentials_check import Presented
from trust.clients.enrolment import Claim
from trust.clients.est import wire
from trust.errors import WaitsError
from trust.issuing import opening
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6


@pytest.fixture(autouse=True)
def _ready(listener_keys: Server) -> Iterator[None]:
    forget()
    yield
    forget()


def at_once(made: Made, requests: list[bytes]) -> list[Any]:
    """Enrol all of them at the same moment; return what each got, or its error."""
    start = threading.Barrier(len(requests))
    got: list[Any] = [None] * len(requests)

    def work(number: int, der: bytes) -> None:
        claim = Claim(None, Presented(made.row.pk, made.secret), "192.0.2.7", must_renew=False, nonce_key=b"")
        request = wire.read_request(base64.b64encode(der))
        keys = opening.issuing()
        start.wait()
        try:
            got[number] = enrolment.enrol(request, claim, keys)
        except Exception as error:  # noqa: BLE001 - it is what the test asks for
            got[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_one_request_at_several_doors_gets_one_certificate(make_credential: Callable[..., Made]) -> None:
    made = make_credential(most_uses=1)
    got = at_once(made, [csr("pc1.example.com")] * AT_ONCE)
    assert len({enrolled.certificate_der for enrolled in got}) == 1
    assert sum(enrolled.is_new for enrolled in got) == 1
    assert Certificate.objects.count() == Client.objects.count() == 1
    made.row.refresh_from_db()
    assert made.row.uses == 1


def test_a_credential_and_a_permission_are_never_used_too_often(make_credential: Callable[..., Made]) -> None:
    made = make_credential(most_uses=2)
    got = at_once(made, [csr(f"pc{number}.example.com") for number in range(AT_ONCE)])
    refused = [error for error in got if isinstance(error, Exception)]
    assert [getattr(error, "code", error) for error in refused] == ["credential-exhausted"] * (AT_ONCE - 2)
    made.row.refresh_from_db()
    assert Certificate.objects.count() == Client.objects.count() == made.row.uses == 2
    # One permission, six keys that want it.
    client = Client.objects.order_by("name")[0]
    pending.allow_once(client, actor=ALICE)
    got = at_once(made, [csr(client.name) for _ in range(AT_ONCE)])
    assert sum(isinstance(error, WaitsError) for error in got) == AT_ONCE - 1
    assert Certificate.objects.filter(client=client, ground=Ground.ALLOWED).count() == 1
    client.refresh_from_db()
    assert client.reenrol_until is None
