"""Rotate: another key of the same kind in the same place; the old one stays, and still opens and checks."""

from collections.abc import Callable

import pytest

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import ConflictError, RefusedError
from console.servers.models import Server
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import KeyFamily, Operation
from hsm.models.groups import Group
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import activation, making, record, removal, rotation
from hsm.syncing import requests as syncing
from hsm.use.deciding import decide
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import MakeKey, RunJobs, Slot, apply_changes

pytestmark = pytest.mark.django_db


def fresh(key: SecurityObject) -> SecurityObject:
    return SecurityObject.objects.select_related("group").get(pk=key.pk)


@pytest.mark.parametrize("policy", ["do not apply", "apply"])
def test_another_key_in_the_same_hsm(
    policy: str, hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs
) -> None:
    """SOB-26, SOB-27, AMB-21: new object in the slot with the same attributes, old one stays under any policy."""
    if policy == "apply":
        apply_changes(hsm_group)
    old = make(hsm_group, KeySpec.EC_P384, operations=frozenset({Operation.SIGN, Operation.VERIFY, Operation.DERIVE}))
    before = slot.halves(old)
    new, _ = rotation.request(old, actor=ALICE)
    run_jobs()
    old, new = fresh(old), fresh(new)
    assert (new.name, new.state, new.problem) == ("payments", ObjectState.ACTIVE, "")
    assert old.rotated_at
    assert old.name == f"payments (rotated {old.rotated_at:%Y-%m-%d})"
    assert (old.successor_id, new.predecessor) == (new.pk, old)
    same = ("spec", "family", "key_type", "bits", "operations", "hsm_operations", "hsm_attributes", "label")
    assert [getattr(old, name) for name in same] == [getattr(new, name) for name in same]
    assert old.key_id != new.key_id
    assert old.fingerprint != new.fingerprint
    assert slot.halves(old) == before, "the old object in the HSM was not touched"
    assert slot.halves(new) == before, "and the new one has its label and flags"
    decide(old, Operation.VERIFY)
    decide(new, Operation.SIGN)
    with pytest.raises(RefusedError, match="rotated"):
        decide(old, Operation.SIGN)
    entry = Entry.objects.get(action="hsm.object.rotated", outcome="succeeded")
    assert entry.subject_id == str(old.pk)


def test_software_groups_rotate_alike(software_group: Group, make: MakeKey, run_jobs: RunJobs) -> None:
    old = make(software_group, KeySpec.AES_256)
    new, _ = rotation.request(old, actor=ALICE)
    run_jobs()
    assert fresh(old).successor_id == new.pk
    with open_group(software_group) as device:
        for key in (old, new):
            assert device.read(KeyFamily.SECRET_KEY, key.cka_id)


def test_once_only(software_group: Group, make: MakeKey, run_jobs: RunJobs) -> None:
    old = make(software_group)
    new, _ = rotation.request(old, actor=ALICE)
    with pytest.raises(ConflictError, match="under way"):
        rotation.request(old, actor=ALICE)
    with pytest.raises(ConflictError, match="under way"):
        removal.delete(old, actor=ALICE)
    run_jobs()
    with pytest.raises(RefusedError, match="rotated already"):
        rotation.request(old, actor=ALICE)
    again, _ = rotation.request(new, actor=ALICE)
    run_jobs()
    assert fresh(again).name == "payments"
    assert SecurityObject.objects.filter(rotated_at=None).count() == 1


def test_a_deactivated_key_is_not_rotated(software_group: Group, make: MakeKey) -> None:
    key = make(software_group)
    activation.deactivate(key, actor=ALICE)
    with pytest.raises(RefusedError, match="activate it first"):
        rotation.request(key, actor=ALICE)


def test_a_rotation_that_fails_leaves_the_key_as_it_was(
    hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs, server: Server
) -> None:
    old = make(hsm_group)
    slot.softhsm.remove(slot.token)
    new, _ = rotation.request(old, actor=ALICE)
    run_jobs()
    assert fresh(new).state == ObjectState.FAILED
    after = fresh(old)
    assert (after.name, after.successor_id, after.rotated_at) == ("payments", None, None)
    decide(after, Operation.SIGN)
    assert rotation.obstacle(after) == "", "and may be rotated again"


def test_the_label_survives_a_second_rotation(hsm_group: Group, make: MakeKey, run_jobs: RunJobs) -> None:
    """The name that was changed at rotation is not the one that the next key takes."""
    first = make(hsm_group)
    second, _ = rotation.request(first, actor=ALICE)
    run_jobs()
    third, _ = rotation.request(fresh(second), actor=ALICE)
    run_jobs()
    assert [fresh(key).label for key in (first, second, third)] == ["payments"] * 3
    assert making.make(third.pk, actor=ALICE).key == third, "a second attempt finds nothing left to do"


def test_a_sync_in_the_middle_of_a_rotation(
    hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs, go_on: Callable[[], None]
) -> None:
    """The new key stands in the slot, its row is not settled: the sync leaves it to its own job."""
    old = make(hsm_group)
    new, job = rotation.request(old, actor=ALICE)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1, lease_until=clock.now())
    SecurityObject.objects.filter(pk=new.pk).update(state=ObjectState.CREATING, attempt=1)
    with open_group(hsm_group) as device:
        device.generate(new.cka_id, KeySpec.EC_P256, new.label, record.operations(new))
    syncing.sync(hsm_group, actor=ALICE)
    run_jobs()
    assert SecurityObject.objects.count() == 2
    assert fresh(new).state == ObjectState.CREATING
    go_on()
    assert (fresh(new).state, fresh(old).successor_id) == (ObjectState.ACTIVE, new.pk)
    assert fresh(old).rotated_at
    assert len(slot.objects("privkey")) == SecurityObject.objects.count() == 2
