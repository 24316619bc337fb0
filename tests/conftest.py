"""Fixtures for every test. What they are made of lies in `tests.fixtures`, one noun per file.

| fixture | gives |
|---|---|
| `var_dir` | a state folder of the test's own, with a sealing pair; the settings point to it |
| `server` | this server's row, on `var_dir` and a database |
| `admin`, `auditor`, `plain_user` | users who are signed in by `admin_client`, `auditor_client`, `user_client` |
| `as_user(user, recent=True)` | a client signed in as any user; `recent=False`: the last proof is old |
| `run_jobs()` | runs the queued jobs here and now, through the real claim; returns them |
| `run_killed(job, point, when)` | runs a job in a process that is killed -9 at a point |
| `softhsm` | makes real SoftHSM2 tokens and looks at them with pkcs11-tool |
| `broker` | a real Valkey server |
| `gateway` | starts real HSM gateways, with real TLS, on free ports; they can be killed, frozen and revived |
| `listener` | a real listener with TLS on the test's database and keys, which can be killed and started |
| `workers` | real workers and beats on the test's database and `broker`, which can be killed and started |
"""

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from tests.fixtures import flushing

pytest_plugins = [
    "tests.fixtures.state",
    "tests.fixtures.users",
    "tests.fixtures.jobs",
    "tests.fixtures.softhsm",
    "tests.fixtures.processes",
    "tests.fixtures.killing",
    "tests.fixtures.browser",
    "tests.fixtures.gateway",
    "tests.fixtures.groups",
    "tests.fixtures.listener",
    "tests.fixtures.longestfirst",
    "tests.fixtures.quick",
    "tests.fixtures.onlydatabase",
]


# How long an example takes says more about the machine than about the code.
hypothesis_settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _quick_argon2() -> None:
    """Hash as in production, but without its cost: nobody attacks these passwords."""
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 8, 1


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Remember what the migrations wrote, so that a test that really commits can be undone."""
    with django_db_blocker.unblock():
        flushing.remember()
