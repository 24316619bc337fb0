"""Keys on a token that an administrator gave up: nothing waits for it for ever, and nothing is said to be destroyed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from console.jobs.models import OPEN, Job, State
from console.lib import clock
from console.servers.models import Server
from hsm import forgetting, holders
from keys import destruction, revocation, saga
from keys.creation import RootCreation
from keys.errors import CreationFailedError
from keys.jobs import DESTROY_KEY
from keys.models.root import RevocationReason, Root, RootState
from keys.models.statements import Crl
from keys.revocation import Plan
from keys.standing import Standing
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


@pytest.fixture
def on_token(make_root: MakeRoot, softhsm: Any, use_token: Callable[..., None]) -> Root:
    """Make a root on a token."""
    use_token(softhsm.token("given-up"), "Root")
    return make_root()


@transaction.atomic
def forget(root: Root) -> None:
    assert root.binding
    forgetting.forget(root.binding, actor=ALICE)


def test_its_keys_are_named_first(on_token: Root) -> None:  # HSI-32
    assert on_token.binding
    (bound,) = holders.keys_on(on_token.binding)
    assert (bound.key_id, bound.subject.label) == (on_token.cka_id, on_token.name)
    assert str(on_token.pk) in bound.url


def test_a_key_in_doubt_counts_as_there(on_token: Root) -> None:
    assert on_token.binding
    Root.objects.filter(pk=on_token.pk).update(state=RootState.FAILED, look_after=clock.now())
    assert len(holders.keys_on(on_token.binding)) == 1
    Root.objects.filter(pk=on_token.pk).update(look_after=None)
    assert holders.keys_on(on_token.binding) == []


def test_keys_are_bound_to_another_token(on_token: Root, softhsm: Any, use_token: Callable[..., None]) -> None:
    # AMB-14, HSI-41
    from hsm.bindings import resolve

    assert on_token.binding
    use_token(softhsm.token("renamed"), "Root")
    target = resolve("Root").binding
    assert target
    holders.rebind(holders.keys_on(on_token.binding), on_token.binding, target)
    on_token.refresh_from_db()
    assert on_token.binding == target


def test_a_root_on_it_is_revoked_and_its_key_said_to_stay(
    on_token: Root, make_root: MakeRoot, run_jobs: RunJobs, server: Server
) -> None:
    from settings_store import store
    from settings_store.models import Scope, Setting

    seen = Setting.objects.get(name="Keys.Root.UseHSM").token
    store.change("Keys.Root.UseHSM", "0", scope=Scope.LOCAL, seen=seen, actor=ALICE)
    make_root()
    forget(on_token)
    seen = revocation.digest(revocation.consequences(on_token, Standing.read(server)))
    revocation.request(on_token, Plan(RevocationReason.MIGRATION, "", seen), actor=ALICE)
    run_jobs()
    on_token.refresh_from_db()
    assert (on_token.state, on_token.destroyed_at) == (RootState.REVOKED, None)
    assert not Crl.objects.exists()
    job = Job.objects.get(kind_name=DESTROY_KEY.name)
    assert job.state == State.FAILED
    assert "stays on it" in job.message
    assert on_token.cka_id.hex() in job.next_step
    assert on_token not in destruction.ripe(server, clock.now())  # and nobody tries in vain


def test_a_creation_in_doubt_on_it_is_given_up(on_token: Root) -> None:
    Root.objects.filter(pk=on_token.pk).update(state=RootState.UNKNOWN)
    forget(on_token)
    with pytest.raises(CreationFailedError, match="forgotten"):
        RootCreation(on_token.pk, actor=ALICE).run()
    on_token.refresh_from_db()
    assert on_token.state == saga.FAILED
    assert not Job.objects.filter(state__in=OPEN, kind_name="keys.create-root").exists()
