"""A group on a real token, and somebody else who works in the same slot."""

from collections.abc import Callable
from typing import Any

import pytest

from console.jobs.models import Job
from hsm.models.groups import Group
from hsm.syncing import requests
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import Token
from tests.hsm.syncing.outside import Outside

Sync = Callable[..., Job]


@pytest.fixture
def outside(token: Token) -> Outside:
    return Outside(token)


@pytest.fixture
def group(module_group: Callable[..., Group], token: Token) -> Group:
    return module_group(token)


@pytest.fixture
def sync(run_jobs: Callable[..., list[Job]]) -> Sync:
    """Return a function that syncs a group through its job, and returns the job."""

    def run(group: Group, state: str = "succeeded") -> Job:
        job = requests.sync(group, actor=ALICE)
        run_jobs()
        job.refresh_from_db()
        group.refresh_from_db()
        assert job.state == state, (job.message, job.error_code)
        return job

    return run


def counts(job: Job) -> dict[str, Any]:
    """Return what a report counted, without its zeros."""
    return {name: number for name, number in job.result["counts"].items() if number}
