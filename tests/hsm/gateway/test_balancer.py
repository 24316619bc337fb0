"""HAProxy of Debian, as deploy/haproxy-hmg.cfg configures it, in front of two gateways (DMN-21, 27, 28)."""

import http.client
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.env import BASE_DIR
from tests.fixtures.gateway import Gateways, RunningGateway
from tests.fixtures.processes import wait_for
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm
from tests.hsm.gateway.asking import Answer, Client, health, tls
from tests.hsm.gateway.conftest import slot_of
from tests.shim.faulty import FaultyModule

SAMPLE = BASE_DIR / "deploy/haproxy-hmg.cfg"
KEY = {"spec": "ec-p256", "key_label": "balanced", "operations": ["sign", "verify"]}


@dataclass
class Balanced:
    """Two gateways of one token; the first one's module misbehaves on order. `port` is the balancer's."""

    first: RunningGateway
    second: RunningGateway
    module: FaultyModule
    token: Token
    port: int

    def ask(self, operation: str, **fields: object) -> Answer:
        """Ask on a connection of its own, and again while nobody answers for the HSM, as the console does."""
        until = time.monotonic() + 60
        while True:
            try:
                with Client(self.first, self.token.pin, port=self.port, context=tls(self.first)) as client:
                    answer = client.ask(operation, **fields)
                    if answer.status not in (503, 504):
                        return answer
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < until, "no gateway answered"


@pytest.fixture
def balanced(faulty_library: Path, tmp_path: Path) -> Iterator[Balanced]:
    with folder() as place, Gateways(place / "gateways") as gateways:
        farm = TokenFarm(place)
        token = farm.make("balanced")
        module = FaultyModule(faulty_library, tmp_path, SOFTHSM)
        environment = {**farm.environment, **module.environment}
        first = gateways.start(str(faulty_library), slots=[slot_of(token)], environment=environment)
        second = gateways.start(SOFTHSM, slots=[slot_of(token)], environment=farm.environment)
        port = _free_port()
        configuration = place / "haproxy.cfg"
        configuration.write_text(_adapted(port, first, second))
        with (place / "haproxy.log").open("wb") as log:
            process = subprocess.Popen(["haproxy", "-db", "-f", str(configuration)], stdout=log, stderr=log)
        try:
            wait_for(lambda: _accepts(port), 60, "HAProxy")
            yield Balanced(first, second, module, token, port)
        finally:
            process.terminate()
            process.wait(60)


def test_the_sample_is_a_configuration() -> None:
    assert shutil.which("haproxy"), "Debian package haproxy is missing"
    done = subprocess.run(["haproxy", "-c", "-f", str(SAMPLE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "port 4441" in SAMPLE.read_text()
    assert "port 4440" in SAMPLE.read_text()


@pytest.mark.slow
def test_traffic_moves_away_from_an_hsm_that_fails_and_nothing_is_lost(balanced: Balanced) -> None:
    key_id = secrets.token_bytes(16)
    sign = {"family": "key-pair", "key_id": key_id, "data": bytes(32), "scheme": "ecdsa-sha256"}
    assert balanced.ask("generate", key_id=key_id, **KEY).status == 200
    for _ in range(4):
        assert balanced.ask("sign", **sign).status == 200
    assert _signatures(balanced.first) > 0
    assert _signatures(balanced.second) > 0

    for action in ("C_Sign before return 0x30", "C_GetTokenInfo before return 0x30", "C_Sign before hang"):
        balanced.module.order(action)
        for _ in range(10):
            assert balanced.ask("sign", **sign, deadline_ms=2000).status == 200
        balanced.module.behave()
        wait_for(lambda: health(balanced.first) == 204, 60, "the first gateway's health")

    before = _signatures(balanced.second)
    balanced.first.kill()
    for _ in range(10):
        assert balanced.ask("sign", **sign).status == 200
    assert _signatures(balanced.second) == before + 10
    balanced.first.start()
    balanced.second.freeze()
    for _ in range(3):
        assert balanced.ask("sign", **sign).status == 200
    balanced.second.thaw()


def _signatures(gateway: RunningGateway) -> int:
    return sum(" sign " in line and " 200 " in line for line in gateway.log.splitlines())


def _adapted(port: int, first: RunningGateway, second: RunningGateway) -> str:
    """Return the sample with the addresses of this test, which stand in it once each."""
    text = SAMPLE.read_text()
    for former, new in (
        ("bind :4442", f"bind 127.0.0.1:{port}"),
        (" port 4441 ", " "),
        ("server hmg1 192.0.2.11:4442", f"server hmg1 127.0.0.1:{first.port} port {first.health_port}"),
        ("server hmg2 192.0.2.12:4442", f"server hmg2 127.0.0.1:{second.port} port {second.health_port}"),
    ):
        assert text.count(former) == 1, former
        text = text.replace(former, new)
    return text


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except ConnectionRefusedError:
        return False
    return True
