"""GET /health (DMN-22 to DMN-28, AMB-18, AMB-25): 204 or 500, and nothing else, by what the HSM itself does."""

import http.client
import os
import re
import secrets
import signal
import time

import pytest

from console.env import BASE_DIR
from hsm.gateway.health import SERVER_SIDE
from tests.fixtures.gateway import Gateways
from tests.fixtures.processes import wait_for
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.hsm.gateway.asking import health, health_tls
from tests.hsm.gateway.conftest import Served, slot_of

KEY = {"spec": "ec-p256", "key_label": "health", "operations": ["sign", "verify"]}


def test_204_without_a_body_over_http_and_https(served: Served) -> None:
    assert health(served.gateway) == 204  # nobody needs to have logged in
    assert health_tls(served.gateway) == 204
    with served.client() as client:
        assert client.ask("token").status == 200
    assert (health(served.gateway), health_tls(served.gateway)) == (204, 204)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/health", 405), ("HEAD", "/health", 204)]
)
def test_answers_nothing_else(served: Served, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection(served.gateway.address, served.gateway.health_port, timeout=60)
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


def test_a_stopped_gateway_refuses(fresh: Served) -> None:
    fresh.gateway.start()
    assert fresh.gateway.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        health(fresh.gateway)


def test_an_error_of_the_device_shows_once_and_is_cleared_by_a_probe(failing: Served) -> None:
    key_id = secrets.token_bytes(16)
    with failing.client() as client:
        assert client.ask("generate", key_id=key_id, **KEY).status == 200
        failing.faulty.order("C_Sign before return 0x30 once")
        answer = _sign(client, key_id)
        assert (answer.status, answer.code, answer.body["error_class"]) == (503, "CKR_DEVICE_ERROR", "device")
        assert health(failing.gateway) == 500
        assert health(failing.gateway) == 204
        assert _sign(client, key_id).status == 200


def test_a_success_of_the_slot_clears_the_mark_as_well(failing: Served) -> None:
    key_id = secrets.token_bytes(16)
    with failing.client() as client:
        client.ask("generate", key_id=key_id, **KEY)
        failing.faulty.order("C_Sign before return 0x5 once")
        assert _sign(client, key_id).code == "CKR_GENERAL_ERROR"
        assert _sign(client, key_id).status == 200
        assert health(failing.gateway) == 204


def test_these_codes_are_the_server_s_and_no_other() -> None:
    """AMB-25, as its manual lists them; besides them only a module that is lost."""
    manual = (BASE_DIR / "docs/gateway.md").read_text().partition("fault of the server's side (")[2].partition(")")[0]
    listed = {
        "CKR_DEVICE_ERROR",
        "CKR_DEVICE_REMOVED",
        "CKR_DEVICE_MEMORY",
        "CKR_TOKEN_NOT_PRESENT",
        "CKR_TOKEN_NOT_RECOGNIZED",
        "CKR_GENERAL_ERROR",
        "CKR_FUNCTION_FAILED",
        "CKR_HOST_MEMORY",
    }
    assert set(re.findall(r"CKR_\w+", manual)) == listed
    assert {code for code in SERVER_SIDE if code.startswith("CKR_")} == listed


def test_errors_of_the_client_are_no_reason(failing: Served) -> None:
    key_id = secrets.token_bytes(16)
    with failing.client() as client:
        client.ask("generate", key_id=key_id, **KEY)
        failing.faulty.order("C_Sign before return 0x7 once")
        answer = _sign(client, key_id)
        assert (answer.status, answer.code) == (422, "CKR_ARGUMENTS_BAD")
        assert health(failing.gateway) == 204
        assert client.ask("read", family="key-pair", key_id=key_id, pin="wrong-one").status == 403
        assert (
            client.ask("sign", family="key-pair", key_id=b"none", data=bytes(32), scheme="ecdsa-sha256").status == 404
        )
        assert health(failing.gateway) == 204


def test_calls_that_fail_for_good_are_seen_without_any_request(failing: Served) -> None:
    failing.faulty.order("C_GetTokenInfo before return 0x30")
    assert health(failing.gateway) == 500
    assert health_tls(failing.gateway) == 500
    failing.faulty.behave()
    wait_for(lambda: health(failing.gateway) == 204, 60, "health after the device came back")


def test_a_hanging_module_is_an_answer_too(failing: Served) -> None:
    failing.faulty.order("C_GenerateRandom before hang")
    began = time.monotonic()
    assert health(failing.gateway) == 500
    assert time.monotonic() - began < 30  # the probe has 3 seconds; the rest is for a loaded machine
    failing.faulty.behave()
    wait_for(lambda: health(failing.gateway) == 204, 60, "health after the module came back")


def test_a_frozen_or_killed_module_host_is_replaced(failing: Served) -> None:
    with failing.client() as client:
        assert client.ask("token").status == 200
        assert health(failing.gateway) == 204
        for pid in failing.gateway.hosts():
            os.kill(pid, signal.SIGSTOP)
        assert health(failing.gateway) == 500
        wait_for(lambda: health(failing.gateway) == 204, 60, "health after a freeze")
        for pid in failing.gateway.hosts():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: health(failing.gateway) == 204, 60, "health after a kill")
        assert client.ask("token").status == 200


def test_health_is_answered_while_requests_wait_for_the_hsm(failing: Served) -> None:
    key_id = secrets.token_bytes(16)
    with failing.client() as client, failing.client() as waiting:
        client.ask("generate", key_id=key_id, **KEY)
        failing.faulty.order("C_Sign before hang")
        body = {"family": "key-pair", "key_id": key_id, "data": bytes(32), "scheme": "ecdsa-sha256"}
        began = time.monotonic()
        late = waiting.ask("sign", **body, deadline_ms=1500)
        assert (late.status, late.code) == (504, "DEADLINE")
        assert time.monotonic() - began > 1.4
        failing.faulty.behave()
        assert health(failing.gateway) == 500  # the mark of the deadline
        assert health(failing.gateway) == 204


def test_every_slot_has_to_be_healthy() -> None:
    """DMN-25, AMB-18: a list of slots; one of them goes."""
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        here, gone = farm.make("stays"), farm.make("goes")
        gateway = gateways.start(SOFTHSM, slots=[slot_of(here), slot_of(gone)], environment=farm.environment)
        assert health(gateway) == 204
        farm.remove(gone)
        assert health(gateway) == 500
        assert health_tls(gateway) == 500


def _sign(client, key_id: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return client.ask("sign", family="key-pair", key_id=key_id, data=bytes(32), scheme="ecdsa-sha256")
