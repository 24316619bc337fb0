"""What is no honest request is answered with a reason, never with a 500, and stores nothing."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trust.clients.registration.conftest import Machine
from trust.clients import registration_standing
from trust.clients.registration_http import MOST_BYTES
from trust.clients.registration_rules import Flags
from trust.models.clients import Client

GOOD = {"name": "host-1", "protocol": 315, "version": "7.6.1", "counter": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad-body"),
        (b"[" * 9000, 400, "bad-body"),
        (b"\xff\xfe", 400, "bad-body"),
        (b" " * (MOST_BYTES + 1), 413, "too-large"),
        ({"extra": 1}, 400, "bad-body"),
        ({"protocol": 316}, 400, "bad-body"),
        ({"counter": 0}, 400, "bad-body"),
        ({"counter": 2**63}, 400, "bad-body"),
        ({"roots": ["no fingerprint"]}, 400, "bad-body"),
        ({"roots": ["ab" * 32] * 65}, 400, "bad-body"),
        ({"version": "7\n2026 ERROR"}, 400, "bad-body"),
        ({"version": "7" * 41}, 400, "bad-body"),
        ({"name": "two words"}, 400, "bad-name"),
        ({"name": "<script>"}, 400, "bad-name"),
        ({"name": "a" * 300}, 400, "bad-body"),
    ],
)
def test_a_malformed_body_is_refused(
    machine: Machine, settings_that_allow_everything: None, body: object, status: int, code: str
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps({**GOOD, **body}).encode()  # type: ignore[dict-item]
    answer = machine.send(raw)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Client.objects.exists()


@pytest.mark.django_db
def test_only_json_by_post_is_taken(machine: Machine) -> None:
    answer = machine.send(json.dumps(GOOD).encode(), kind="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-content-type")
    answer = machine.http.get("/v1/registrations")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=300), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
    lambda value: json.dumps({**GOOD, "name": value, "version": value, "roots": value}).encode()
)))  # fmt: skip
def test_no_bytes_make_it_fail(machine: Machine, body: bytes) -> None:
    assert machine.send(body).status_code in {400, 403, 409, 413}


@pytest.fixture
def settings_that_allow_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that only the body is a reason to refuse."""
    allowed = Flags(require_tls_315=False, require_tls_314=False, enable_314=True)
    monkeypatch.setattr(registration_standing, "flags", lambda _server: allowed)
