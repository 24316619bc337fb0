"""Generate: the key is made where the group keeps its keys, with exactly what was asked for."""

from collections.abc import Callable

import pytest

from console.activity.models import Entry
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib.errors import InvalidError, RefusedError
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import KeyFamily, Operation
from hsm.models.groups import Group
from hsm.models.objects import ObjectState, Origin, SecurityObject
from hsm.objects import generation
from hsm.objects.generation import Wanted
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import CIPHER, SIGNING, MakeKey, RunJobs, Slot

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("spec", [KeySpec.AES_128, KeySpec.AES_256, KeySpec.EC_P256, KeySpec.EC_P384, KeySpec.EC_P521])
def test_key_stands_in_the_slot_at_once(spec: KeySpec, hsm_group: Group, slot: Slot, make: MakeKey) -> None:
    """SOB-11, SOB-17, SOB-21, POL-06: label, ID and flags equal what was asked for."""
    key = make(hsm_group, spec, "ledger key")
    assert (key.state, key.origin, key.problem) == (ObjectState.ACTIVE, Origin.GENERATED, "")
    private, public = slot.halves(key)
    assert private is not None
    assert private.label == "ledger key"
    if spec.is_aes:
        assert private.usage == {"encrypt", "decrypt"}
        assert not key.fingerprint
    else:
        assert public is not None
        assert (private.usage, public.usage, public.label) == ({"sign"}, {"verify"}, "ledger key")
        assert key.fingerprint == key.hsm_fingerprint != ""
    assert key.hsm_operations == key.operations
    assert key.hsm_attributes["sensitive"] is True
    assert key.hsm_attributes["extractable"] is False


@pytest.mark.parametrize("operations", [{Operation.SIGN}, {Operation.DERIVE}, {Operation.VERIFY, Operation.DERIVE}])
def test_exactly_these_operations(operations: set[Operation], hsm_group: Group, slot: Slot, make: MakeKey) -> None:
    """SOB-21: neither more nor fewer."""
    key = make(hsm_group, operations=frozenset(operations))
    private, public = slot.halves(key)
    assert private
    assert public
    assert private.usage | public.usage == {str(operation) for operation in operations}


def test_rsa_key_may_do_what_rsa_can(hsm_group: Group, slot: Slot, make: MakeKey) -> None:
    """SOB-16, SOB-21."""
    everything = frozenset(Operation) - {Operation.DERIVE}
    key = make(hsm_group, KeySpec.RSA_2048, operations=everything)
    private, public = slot.halves(key)
    assert private
    assert public
    assert private.usage == {"decrypt", "sign", "unwrap"}
    assert public.usage >= {"encrypt", "verify", "wrap"}
    assert key.bits == 2048


def test_software_group_keeps_its_own(software_group: Group, make: MakeKey) -> None:
    """AMB-17: alike for software groups, whose keys are in pki.db."""
    for spec, operations in ((KeySpec.EC_P256, SIGNING), (KeySpec.AES_256, CIPHER)):
        key = make(software_group, spec, f"soft {spec}", operations)
        assert (key.state, key.problem) == (ObjectState.ACTIVE, "")
        with open_group(software_group) as device:
            found = device.read(KeyFamily(key.family), key.cka_id)
        assert found is not None
        assert (found.label, found.operations) == (f"soft {spec}", operations)


def test_entries_and_job(any_group: Group, make: MakeKey) -> None:
    key = make(any_group)
    entries = Entry.objects.filter(subject_kind="security-object", subject_id=str(key.pk)).order_by("seq")
    assert [(entry.action, entry.outcome) for entry in entries] == [
        ("hsm.object.generate-requested", "requested"),
        ("hsm.object.generated", "succeeded"),
    ]
    job = Job.objects.get(kind_name="hsm.generate")
    assert job.state == State.SUCCEEDED
    assert job.result["served by"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("  ", KeySpec.EC_P256, SIGNING), "name"),
        (Wanted("x" * 256, KeySpec.EC_P256, SIGNING), "name"),
        (Wanted("fine", KeySpec.EC_P256, frozenset({Operation.ENCRYPT})), "operations"),
        (Wanted("fine", KeySpec.AES_128, frozenset({Operation.DERIVE})), "operations"),
        (Wanted("fine", KeySpec.AES_128, frozenset()), "operations"),
    ],
)
def test_what_cannot_be(wanted: Wanted, field: str, software_group: Group) -> None:
    """SOB-13, SOB-16."""
    with pytest.raises(InvalidError) as caught:
        generation.request(software_group, wanted, actor=ALICE)
    assert caught.value.field == field
    assert not SecurityObject.objects.exists()


def test_a_name_tells_keys_apart(software_group: Group, make: MakeKey) -> None:
    make(software_group, name="payments")
    with pytest.raises(InvalidError, match="has a key of this name"):
        make(software_group, name="payments")


def test_nothing_is_made_when_no_connection_works(
    slot: Slot, module_group: Callable[..., Group], make: MakeKey
) -> None:
    """The row fails with the reason, and nobody has to find out anything."""
    group = module_group(slot.token, pin="00000000")
    key = make(group)
    assert key.state == ObjectState.FAILED
    assert key.look_after is None
    assert "PIN" in key.problem
    assert slot.objects("privkey") == {}


def test_cancelled_before_it_began(software_group: Group, run_jobs: RunJobs) -> None:
    key, job = generation.request(software_group, Wanted("late", KeySpec.EC_P256, SIGNING), actor=ALICE)
    queue.cancel(job, actor=ALICE)
    assert run_jobs() == []
    key.refresh_from_db()
    assert (key.state, key.problem_code) == (ObjectState.FAILED, "CANCELLED")


def test_not_cancelled_once_a_device_was_asked(software_group: Group) -> None:
    key, job = generation.request(software_group, Wanted("late", KeySpec.EC_P256, SIGNING), actor=ALICE)
    SecurityObject.objects.filter(pk=key.pk).update(state=ObjectState.UNKNOWN)
    with pytest.raises(RefusedError, match="was asked"):
        queue.cancel(job, actor=ALICE)
    job.refresh_from_db()
    assert job.state == State.QUEUED
