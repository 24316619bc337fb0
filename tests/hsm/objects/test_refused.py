"""An HSM that refuses a change, or answers badly: the virtual key never differs without saying so (POL-13)."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from console.activity.models import Entry, Outcome
from console.jobs.models import OPEN, Job, State
from console.lib import clock
from hsm.actions import Action
from hsm.connections.opening import open_group
from hsm.device.objects import KeyFamily, Operation
from hsm.models.groups import Group
from hsm.models.objects import ObjectState, Origin, SecurityObject
from hsm.objects import asking, permissions, record, removal
from hsm.objects.transitions import GIVE_UP
from hsm.syncing import requests as syncing
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import MakeKey, RunJobs, Slot, apply_changes
from tests.shim.faulty import FaultyModule

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SIGN_ONLY = frozenset({Operation.SIGN})

FIXED_KEY = """
import os, sys, pkcs11
from pkcs11 import Attribute, KeyType
token = pkcs11.lib(sys.argv[1]).get_token(token_label=sys.argv[2])
with token.open(rw=True, user_pin=os.environ["KEYSTEAD_TEST_PIN"]) as session:
    session.generate_key(
        KeyType.AES, 256, id=bytes.fromhex(sys.argv[3]), label="fixed", store=True,
        template={Attribute.MODIFIABLE: False, Attribute.ENCRYPT: True, Attribute.DECRYPT: True},
    )
"""


def fresh(key: SecurityObject) -> SecurityObject:
    return SecurityObject.objects.select_related("group").get(pk=key.pk)


@pytest.fixture
def shim_group(shim: FaultyModule, slot: Slot, module_group: Callable[..., Group]) -> Group:
    group = module_group(replace(slot.token, module=str(shim.path)))
    apply_changes(group)
    return group


def test_a_key_that_cannot_be_modified(hsm_group: Group, slot: Slot, run_jobs: RunJobs) -> None:
    """POL-13 with a real CKA_MODIFIABLE false: the job fails, nothing changes, and the key says why."""
    apply_changes(hsm_group)
    run_jobs()  # the test of the new connection
    key_id = os.urandom(16)
    environment = {**os.environ, "KEYSTEAD_TEST_PIN": slot.token.pin}
    argv = [sys.executable, "-c", FIXED_KEY, slot.token.module, slot.token.label, key_id.hex()]
    subprocess.run(argv, env=environment, check=True)
    key = _found(hsm_group, key_id)
    permissions.request(key, frozenset({Operation.DECRYPT}), actor=ALICE)
    (job,) = run_jobs()
    assert job.state == State.FAILED
    after = fresh(key)
    assert after.operations == key.operations
    assert after.problem
    assert after.problem_code.startswith("CKR_")
    assert not after.out_of_step, "both sides still permit the same"
    assert slot.objects("secrkey")[key.key_id].usage >= {"encrypt", "decrypt"}


def test_out_of_step_is_marked(shim_group: Group, shim: FaultyModule, make: MakeKey, run_jobs: RunJobs) -> None:
    """A virtual key that the HSM contradicts, and a refusal: marked, with the message."""
    key = make(shim_group)
    SecurityObject.objects.filter(pk=key.pk).update(operations=["verify"])  # changed before the policy was switched
    shim.order("C_SetAttributeValue before return 0x10")
    permissions.request(fresh(key), SIGN_ONLY, actor=ALICE)
    (job,) = run_jobs()
    assert (job.state, job.error_code) == (State.FAILED, "CKR_ATTRIBUTE_READ_ONLY")
    after = fresh(key)
    assert after.out_of_step
    assert after.problem_code == "CKR_ATTRIBUTE_READ_ONLY"
    assert (after.operations, after.hsm_operations) == (["verify"], ["sign", "verify"])
    shim.behave()
    permissions.request(after, SIGN_ONLY, actor=ALICE)
    run_jobs()
    healed = fresh(key)
    assert (healed.operations, healed.hsm_operations) == (["sign"], ["sign"])
    assert (healed.out_of_step, healed.problem) == (False, "")


def test_a_sync_sees_that_both_agree_again(
    shim_group: Group, shim: FaultyModule, make: MakeKey, run_jobs: RunJobs
) -> None:
    key = make(shim_group)
    SecurityObject.objects.filter(pk=key.pk).update(operations=["verify"])
    shim.order("C_SetAttributeValue before return 0x10")
    permissions.request(fresh(key), SIGN_ONLY, actor=ALICE)
    run_jobs()
    assert fresh(key).out_of_step
    shim.behave()
    with open_group(shim_group) as device:  # as the HSM's own tools would
        device.permit(KeyFamily.KEY_PAIR, key.cka_id, frozenset({Operation.VERIFY}))
    syncing.sync(shim_group, actor=ALICE)
    run_jobs()
    after = fresh(key)
    assert after.hsm_operations == ["verify"]
    assert (after.out_of_step, after.problem) == (False, "")


@pytest.mark.parametrize("when", ["before", "after"])
def test_module_dies_in_a_change_of_permissions(
    when: str,
    shim_group: Group,
    shim: FaultyModule,
    slot: Slot,
    make: MakeKey,
    run_jobs: RunJobs,
    go_on: Callable[[], None],
) -> None:
    key = make(shim_group)
    shim.order(f"C_SetAttributeValue {when} crash")
    permissions.request(key, SIGN_ONLY, actor=ALICE)
    run_jobs()
    doubtful = fresh(key)
    assert doubtful.out_of_step
    assert doubtful.operations == ["sign", "verify"]
    shim.behave()
    go_on()
    after = fresh(key)
    assert (after.operations, after.out_of_step, after.problem) == (["sign"], False, "")
    private, public = slot.halves(key)
    assert private
    assert public
    assert (private.usage, public.usage) == ({"sign"}, set())


@pytest.mark.parametrize("when", ["before", "after"])
def test_module_dies_in_a_destruction(
    when: str,
    shim_group: Group,
    shim: FaultyModule,
    slot: Slot,
    make: MakeKey,
    run_jobs: RunJobs,
    go_on: Callable[[], None],
) -> None:
    key, other = make(shim_group), make(shim_group, name="other")
    shim.order(f"C_DestroyObject {when} crash")
    removal.delete(key, actor=ALICE)
    run_jobs()
    assert fresh(key).state == ObjectState.DESTROYING
    shim.behave()
    go_on()
    assert list(SecurityObject.objects.all()) == [other]
    assert slot.halves(key) == (None, None)
    assert slot.halves(other)[0]
    assert Job.objects.get(kind_name="hsm.delete-object").state == State.SUCCEEDED


def test_a_refused_destruction_leaves_the_key(
    shim_group: Group, shim: FaultyModule, slot: Slot, make: MakeKey, run_jobs: RunJobs
) -> None:
    key = make(shim_group)
    shim.order("C_DestroyObject before return 0x1B")  # CKR_ACTION_PROHIBITED
    removal.delete(key, actor=ALICE)
    (job,) = run_jobs()
    assert job.state == State.FAILED
    after = fresh(key)
    assert after.state == ObjectState.ACTIVE
    assert after.problem_code == "CKR_ACTION_PROHIBITED"
    assert slot.halves(key)[0]


def test_another_key_under_the_same_id_is_not_destroyed(
    shim_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs
) -> None:
    """The public value is named: what somebody put in its place stays."""
    key, other = make(shim_group), make(shim_group, name="other")
    SecurityObject.objects.filter(pk=key.pk).update(spki_der=bytes(other.spki_der or b""))
    removal.delete(key, actor=ALICE)
    (job,) = run_jobs()
    assert (job.state, job.error_code) == (State.FAILED, "KEY_DIFFERS")
    assert fresh(key).state == ObjectState.ACTIVE
    assert slot.halves(key)[0]


@pytest.mark.parametrize(
    ("act", "action"),
    [
        (lambda key: removal.delete(key, actor=ALICE), Action.OBJECT_DELETED),
        (lambda key: removal.remove_private(key, actor=ALICE), Action.OBJECT_PRIVATE_REMOVED),
        (lambda key: permissions.request(key, SIGN_ONLY, actor=ALICE), Action.OBJECT_PERMITTED),
    ],
    ids=["delete", "remove private", "permissions"],
)
def test_nothing_changes_when_the_token_is_away(
    act: Callable[[SecurityObject], object],
    action: Action,
    shim_group: Group,
    slot: Slot,
    make: MakeKey,
    run_jobs: RunJobs,
) -> None:
    """At once, with the reason, on the page and in the log: a person who sees it decides what to do next."""
    key = make(shim_group)
    slot.softhsm.remove(slot.token)
    act(key)
    (job,) = run_jobs()
    assert job.state == State.FAILED
    assert "was not changed" in job.message
    assert fresh(key).state == ObjectState.ACTIVE
    assert Entry.objects.filter(action=action, subject_id=str(key.pk), outcome=Outcome.FAILED).count() == 1


def _found(group: Group, key_id: bytes) -> SecurityObject:
    """Write the row that a sync would."""
    now = clock.now()
    with open_group(group) as device:
        said = device.read(KeyFamily.SECRET_KEY, key_id)
    assert said
    assert said.modifiable is False
    return SecurityObject.objects.create(
        group=group,
        name=said.label,
        label=said.label,
        family=said.family,
        spec=str(said.spec or ""),
        key_type=said.key_type,
        bits=said.bits,
        key_id=key_id.hex(),
        operations=record.values(said.operations),
        origin=Origin.FOUND,
        state=ObjectState.ACTIVE,
        created_at=now,
        created_by="Sync keys",
        **record.hsm_columns(said, now),
    )


def test_a_device_that_never_comes_back_sets_the_key_free(
    shim_group: Group, shim: FaultyModule, make: MakeKey, run_jobs: RunJobs
) -> None:
    """A change that nobody can finish, cancel or find out about does not keep its key busy for ever."""
    key = make(shim_group)
    shim.order("C_SetAttributeValue before return 0x30")
    permissions.request(key, SIGN_ONLY, actor=ALICE)
    Job.objects.filter(subject_id=str(key.pk), state__in=OPEN).update(created_at=clock.now() - GIVE_UP - GIVE_UP)
    (job,) = run_jobs()
    assert job.state == State.FAILED
    assert "stopped asking" in job.message
    assert "stopped asking" in fresh(key).problem
    assert asking.lock(fresh(key)), "it can be changed and deleted again"
