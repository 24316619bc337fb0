"""The embedded broker keeps what it was given, and lets nobody in without the password."""

import pytest
import redis

from console.supervisor import broker as embedded
from tests.fixtures.processes import Broker


def test_it_asks_for_a_password(broker: Broker) -> None:
    with redis.Redis(port=broker.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert not [word for word in broker.argv if broker.state.secret_once("broker-password") in word]


def test_it_is_configured_to_forget_nothing(broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
        assert client.config_get("bind")["bind"] == embedded.HOST


def test_it_keeps_its_data_when_it_is_killed(broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        client.set("kept", "value")
        client.execute_command("BGREWRITEAOF")
        client.execute_command("WAITAOF", 1, 0, 60_000)
    broker.kill()
    assert not embedded.answers(broker.state, broker.port)
    broker.start()
    with redis.Redis.from_url(broker.url) as client:
        assert client.get("kept") == b"value"
