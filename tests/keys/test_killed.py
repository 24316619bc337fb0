"""kill -9 at every step of creation and revocation, on a real token: nothing twice, nothing forgotten, nothing open."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from console.jobs.models import Job
from keys import logkey, revocation, roots
from keys.jobs import CREATE_ROOT, CROSS_CERTIFY, DESTROY_KEY, REMAKE_SUBORDINATES, REVOKE_ROOT
from keys.keystore import open_local_store
from keys.models.root import RevocationReason, Root, RootState
from keys.models.statements import CrossCertificate, Directive
from keys.models.subordinate import Subordinate
from keys.revocation import Plan
from keys.standing import Standing
from tests.keys.conftest import ALICE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

RunJobs = Callable[..., list[Job]]


CREATION = [
    ("keys.creation:placement", "before"),
    ("keys.creation:placement", "after"),
    ("keys.saga:_obtain", "before"),
    ("keys.saga:_obtain", "after"),
    ("keys.issuance:prepare", "before"),
    ("keys.issuance:issue", "before"),
    ("keys.issuance:issue", "after"),
    ("keys.creation:RootCreation._activate", "after"),
    ("keys.logkey:sign_head_after_key_operation", "before"),
]


@pytest.mark.parametrize(("point", "when"), CREATION)
def test_creation_is_finished_or_cleaned_up(
    point: str,
    when: str,
    softhsm: Any,
    use_token: Callable[..., None],
    run_killed: Callable[[Job, str, str], None],
    go_on: Callable[[], None],
    run_jobs: RunJobs,
) -> None:
    token = softhsm.token("root-token")
    use_token(token, "Root")
    root, job = roots.request(actor=ALICE, form_token=uuid.uuid4())
    run_killed(job, point, when)
    go_on()
    root.refresh_from_db()
    on_token = softhsm.objects(token).count("Private Key Object")
    if root.state == RootState.FAILED:
        assert on_token == 0, root.problem
        roots.request(actor=ALICE, form_token=uuid.uuid4())  # and the way is free for another
        run_jobs()
        assert Root.objects.filter(state=RootState.ACTIVE).count() == 1
    else:
        assert (root.state, on_token) == (RootState.ACTIVE, 1), root.problem
        assert root.cka_id.hex() in softhsm.objects(token)
        assert Subordinate.objects.filter(root=root, state="active").count() == 3
    assert Job.objects.filter(kind_name=CREATE_ROOT.name, subject_id=str(root.pk)).count() == 1


REVOCATION = [
    (REVOKE_ROOT, "keys.revoking:_check", "after"),
    (REVOKE_ROOT, "keys.revoking:_last_crl", "after"),
    (REVOKE_ROOT, "keys.revoking:directive.sign", "after"),
    (REVOKE_ROOT, "keys.revoking:_store", "after"),
    (REVOKE_ROOT, "keys.revoking:_commit", "after"),
    (DESTROY_KEY, "keys.destruction:stores.open_device", "before"),
    (DESTROY_KEY, "keys.destruction:log.append", "before"),
    (DESTROY_KEY, "keys.destruction:log.append", "after"),
]


@pytest.mark.parametrize(("kind", "point", "when"), REVOCATION)
def test_revocation_happens_exactly_once(
    kind: Any,
    point: str,
    when: str,
    softhsm: Any,
    use_token: Callable[..., None],
    make_root: Callable[..., Root],
    run_killed: Callable[[Job, str, str], None],
    go_on: Callable[[], None],
) -> None:
    token = softhsm.token("root-token")
    use_token(token, "Root")
    old, _new = make_root(), make_root()
    standing = Standing.read(old.server)
    seen = revocation.digest(revocation.consequences(old, standing))
    job = revocation.request(old, Plan(RevocationReason.POLICY, "", seen), actor=ALICE)
    if kind is DESTROY_KEY:
        from console.celery import app

        app.tasks[job.kind.task](str(job.pk))
        job = Job.objects.get(kind_name=DESTROY_KEY.name)
    run_killed(job, point, when)
    go_on()
    old.refresh_from_db()
    assert old.state == RootState.REVOKED
    assert old.destroyed_at is not None
    assert Directive.objects.filter(root=old).count() == 1
    listing = softhsm.objects(token)
    assert old.cka_id.hex() not in listing
    assert listing.count("Private Key Object") == 1
    from console.activity.models import Entry
    from keys.actions import Action

    assert Entry.objects.filter(action=Action.ROOT_REVOKED, outcome="succeeded").count() == 1
    assert Entry.objects.filter(action=Action.ROOT_DESTROYED).count() == 1


FOLLOWING = [
    (REMAKE_SUBORDINATES, "keys.subordinates:placement", "after"),
    (REMAKE_SUBORDINATES, "keys.saga:_obtain", "before"),
    (REMAKE_SUBORDINATES, "keys.saga:_obtain", "after"),
    (REMAKE_SUBORDINATES, "keys.issuance:issue", "after"),
    (REMAKE_SUBORDINATES, "keys.subordinates:_Making._activate", "after"),
    (CROSS_CERTIFY, "keys.crosscertification:issuance.issue", "after"),
    (CROSS_CERTIFY, "keys.crosscertification:_certify", "after"),
]


@pytest.mark.parametrize(("kind", "point", "when"), FOLLOWING)
def test_what_follows_from_a_new_root_is_made_once(
    kind: Any,
    point: str,
    when: str,
    make_root: Callable[..., Root],
    run_killed: Callable[[Job, str, str], None],
    go_on: Callable[[], None],
) -> None:  # HSI-22
    from console.celery import app

    make_root()
    root, job = roots.request(actor=ALICE, form_token=uuid.uuid4())
    app.tasks[job.kind.task](str(job.pk))
    run_killed(Job.objects.get(kind_name=kind.name, subject_id=str(root.pk)), point, when)
    go_on()
    assert Subordinate.objects.filter(root=root, state="active").count() == 3
    assert CrossCertificate.objects.count() == 2
    known = {key.cka_id for model in (Root, Subordinate) for key in model.objects.exclude(state="failed")}
    with open_local_store() as store:
        there = {record.key_id for record in store.device().list_keys() if record.label != logkey.LABEL}
    assert there == known  # no orphan, and nothing lost
