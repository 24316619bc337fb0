"""The check in a real worker: a prefork child that starts a module host of its own."""

import pytest

from console.jobs.models import State
from hsm import requests
from hsm.models.tokens import PinState, PinTrial
from tests.fixtures.processes import Workers
from tests.fixtures.softhsm import Token
from tests.hsm.conftest import ALICE, Put


@pytest.mark.slow
def test_a_worker_checks_the_integration(token: Token, workers: Workers, integrated: Token, put: Put) -> None:
    workers.worker()  # after `token`: its environment leads to the tokens
    job = workers.wait(requests.check(actor=ALICE))
    assert job.state == State.SUCCEEDED, job.message
    assert job.result["ok"], job.result
    put("Keys.Root.HSMPassword", "9999")
    job = workers.wait(requests.check(actor=ALICE))
    assert not job.result["ok"]
    assert PinTrial.objects.filter(state=PinState.REJECTED).count() == 1
