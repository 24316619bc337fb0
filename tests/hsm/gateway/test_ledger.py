"""The try of an unknown PIN, as it is remembered on the disk."""

import os
from pathlib import Path

import pytest

from hsm.device.gatewaywire import UNVERIFIED_PIN_PAUSE_S
from hsm.gateway.config import ConfigError
from hsm.gateway.faults import GatewayError
from hsm.gateway.ledger import Ledger

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    made = Ledger(tmp_path / "state", clock)
    made.open()
    return made


def test_a_try_counts_for_fifteen_minutes_and_for_its_token_only(ledger: Ledger, clock: Clock) -> None:
    ledger.claim("one", "01")
    with pytest.raises(GatewayError) as refused:
        ledger.claim("one", "01")
    assert refused.value.retry_after_s == UNVERIFIED_PIN_PAUSE_S == 900
    ledger.claim("two", "01")
    ledger.claim("one", "02")
    clock.now += 899
    assert ledger.wait_s("one", "01") == 1
    clock.now += 1
    ledger.claim("one", "01")
    assert ledger.wait_s("one", "01") == 900


def test_a_try_that_is_given_back_does_not_count(ledger: Ledger) -> None:
    ledger.claim("one", "01")
    ledger.give_back("one", "01")
    ledger.give_back("one", "01")
    ledger.claim("one", "01")


def test_a_clock_that_was_set_back_makes_nobody_wait_longer(ledger: Ledger, clock: Clock) -> None:
    ledger.claim("one", "01")
    clock.now -= 86_400
    assert ledger.wait_s("one", "01") == 900


def test_whatever_stands_in_the_file_it_counts(ledger: Ledger, tmp_path: Path) -> None:
    ledger.claim("one", "01")
    (tried,) = (tmp_path / "state").glob("tried-*")
    os.truncate(tried, 0)
    os.utime(tried, (NOW, NOW))
    with pytest.raises(GatewayError):
        ledger.claim("one", "01")


def test_names_of_tokens_are_no_paths(ledger: Ledger, tmp_path: Path) -> None:
    ledger.claim("../../etc/passwd", "\0/\udcff")
    assert len(list((tmp_path / "state").glob("tried-*"))) == 1


def test_the_folder_belongs_to_one(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another gateway uses"):
        Ledger(tmp_path / "state").open()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_down_is_not_tried(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "state").rename(tmp_path / "gone")
    with pytest.raises(GatewayError) as refused:
        ledger.claim("one", "01")
    assert refused.value.code == "GATEWAY_FAULT"
    assert "was not tried" in refused.value.message
