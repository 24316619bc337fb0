"""The Verify of the guided page: what can be proven today, and what a broken part looks like."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job
from console.servers.models import Server
from keys.actions import Action
from keys.jobs import VERIFY_KEYS
from keys.models.root import Root
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]
OTHERS = ("Clients connected", "A question answered")


@pytest.fixture
def verify(server: Server, run_jobs: RunJobs) -> Callable[[], dict[str, dict[str, Any]]]:
    """Run the job; return its lines by name."""

    def run() -> dict[str, dict[str, Any]]:
        job = queue.enqueue(VERIFY_KEYS, subject=server.subject, actor=ALICE)
        run_jobs()
        job.refresh_from_db()
        return {line["name"]: line for line in job.result["lines"]}

    return run


def test_everything_that_exists_verifies(make_root: MakeRoot, verify: Any) -> None:  # HSI-36, walkthrough 10
    make_root(), make_root()
    lines = verify()
    own = [line for line in lines.values() if line["name"] not in OTHERS]
    assert all(line["ok"] for line in own), own
    assert len(own) == 2 * 2 + 3 * 2 + 1 + 2


def test_without_a_client_nobody_shows_that_the_keys_are_trusted(make_root: MakeRoot, verify: Any) -> None:
    make_root()
    lines = verify()
    for name, says in zip(OTHERS, ("No client is connected.", "none was asked"), strict=True):
        assert not lines[name]["ok"]
        assert says in lines[name]["detail"]
        assert "start a client" in lines[name]["next_step"].lower()
    assert Entry.objects.get(action=Action.VERIFIED).outcome == "failed"


def test_a_missing_private_key_is_named(make_root: MakeRoot, verify: Any) -> None:
    root = make_root()
    Root.objects.filter(pk=root.pk).update(key_id=os.urandom(16))
    line = verify()[f"Private key of {root.name}"]
    assert not line["ok"]
    assert line["code"]
    assert line["detail"]
    assert Entry.objects.get(action=Action.VERIFIED).outcome == "failed"


def test_a_certificate_of_another_key_is_named(make_root: MakeRoot, verify: Any) -> None:
    old, new = make_root(), make_root()
    key = Subordinate.objects.get(purpose="server-tls", state="active")
    former = Subordinate.objects.get(purpose="server-tls", state="retired")
    Subordinate.objects.filter(pk=key.pk).update(certificate_der=former.certificate_der)
    cross = CrossCertificate.objects.get(issuer=old)
    CrossCertificate.objects.filter(pk=cross.pk).update(certificate_der=new.certificate_der)
    lines = verify()
    assert not lines["Chain of the Server TLS key"]["ok"]
    assert not lines[f"Cross-certificate: {cross}"]["ok"]


def test_a_token_that_is_away_is_named_with_the_next_step(
    make_root: MakeRoot, verify: Any, softhsm: Any, use_token: Callable[..., None]
) -> None:
    token = softhsm.token("root-token")
    use_token(token)
    root = make_root()
    assert all(line["ok"] for name, line in verify().items() if name not in OTHERS)
    softhsm.remove(token)
    lines = verify()
    for name in (
        f"Private key of {root.name}",
        "Private key of the Message-signing key",
        "Message signature, up to the root",
    ):
        assert not lines[name]["ok"]
        assert lines[name]["detail"]
        assert lines[name]["next_step"]
    assert lines[f"Chain of {root.name}"]["ok"]
