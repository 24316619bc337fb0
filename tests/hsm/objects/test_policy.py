"""What reaches the HSM under each policy, seen by pkcs11-tool."""

from collections.abc import Callable

import pytest

from console.activity.models import Entry
from console.lib.errors import ConflictError, InvalidError, RefusedError
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import KeyFamily, Operation
from hsm.models.groups import Group, GroupKind, Policy
from hsm.models.objects import SecurityObject, Tombstone
from hsm.objects import activation, permissions, policy, record, removal
from hsm.objects.policy import Change
from hsm.use.deciding import decide
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import CIPHER, MakeKey, RunJobs, Slot, apply_changes

pytestmark = pytest.mark.django_db

Fresh = Callable[[SecurityObject], SecurityObject]


def fresh(key: SecurityObject) -> SecurityObject:
    return SecurityObject.objects.select_related("group").get(pk=key.pk)


REACHES = {Change.PERMISSIONS, Change.REMOVE_PRIVATE, Change.DELETE}
ALWAYS = {Change.GENERATE, Change.IMPORT, Change.ROTATE}


@pytest.mark.parametrize("change", Change)
def test_rules(change: Change) -> None:
    """POL-02, POL-05, POL-06, POL-09, POL-10, SOB-24 in one table, with a sentence for each."""
    keep, apply = (Group(kind=GroupKind.HSM, policy=value) for value in (Policy.KEEP, Policy.APPLY))
    software = Group(kind=GroupKind.SOFTWARE)
    assert policy.applies(keep, change) is (change in ALWAYS)
    assert policy.applies(apply, change) is (change in ALWAYS | REACHES)
    assert policy.applies(software, change) is (change in ALWAYS | REACHES)
    for group in (keep, apply, software):
        assert policy.effect(group, change).endswith(".")
    assert "HSM" not in policy.effect(software, change)


def test_kept_from_the_hsm(hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs) -> None:
    """POL-05, POL-08, SOB-22: permissions and private half of the virtual key only; flags in the slot unchanged."""
    cipher = make(hsm_group, KeySpec.AES_256, "cipher")
    assert permissions.request(cipher, frozenset({Operation.DECRYPT}), actor=ALICE) is None
    signer = make(hsm_group, name="signer")
    assert removal.remove_private(signer, actor=ALICE) is None
    assert run_jobs() == []
    assert fresh(cipher).operations == ["decrypt"]
    assert slot.objects("secrkey")[cipher.key_id].usage == {"encrypt", "decrypt"}
    with pytest.raises(RefusedError, match="not permitted to encrypt"):  # SOB-23
        decide(fresh(cipher), Operation.ENCRYPT)
    assert fresh(signer).private_removed_at is not None
    private, public = slot.halves(signer)
    assert private
    assert public
    with pytest.raises(RefusedError, match="private component"):
        decide(fresh(signer), Operation.SIGN)


def test_applied_to_the_hsm(hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs) -> None:
    """POL-09, POL-12, SOB-28: flags and private object change in the slot, the public object stays."""
    apply_changes(hsm_group)
    cipher = make(hsm_group, KeySpec.AES_256, "cipher")
    assert permissions.request(cipher, frozenset({Operation.DECRYPT}), actor=ALICE)
    assert fresh(cipher).operations == ["encrypt", "decrypt"], "the virtual key follows the HSM, not the other way"
    run_jobs()
    after = fresh(cipher)
    assert (after.operations, after.hsm_operations, after.out_of_step) == (["decrypt"], ["decrypt"], False)
    assert slot.objects("secrkey")[cipher.key_id].usage == {"decrypt"}

    signer = make(hsm_group, name="signer")
    assert removal.remove_private(signer, actor=ALICE)
    run_jobs()
    private, public = slot.halves(signer)
    assert private is None
    assert public
    after = fresh(signer)
    assert after.private_removed_at is not None
    assert (after.hsm_has_private, after.hsm_has_public) == (False, True)


def test_permissions_of_both_halves(hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs) -> None:
    apply_changes(hsm_group)
    key = make(hsm_group)
    permissions.request(key, frozenset({Operation.SIGN, Operation.DERIVE}), actor=ALICE)
    run_jobs()
    private, public = slot.halves(key)
    assert private
    assert public
    assert (private.usage, public.usage) == ({"sign", "derive"}, set())


@pytest.mark.parametrize("family", ["pair", "secret"])
def test_delete_keeps_or_destroys(family: str, hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs) -> None:
    """SOB-25, POL-05, POL-09: both policies, with pkcs11-tool."""
    spec = KeySpec.AES_256 if family == "secret" else KeySpec.EC_P256
    kept, destroyed = make(hsm_group, spec, "kept"), make(hsm_group, spec, "destroyed")
    assert removal.delete(kept, actor=ALICE) is None
    assert not SecurityObject.objects.filter(pk=kept.pk).exists()
    assert slot.halves(kept)[0]
    grave = Tombstone.objects.get()
    assert (grave.key_id, grave.name, grave.family) == (kept.key_id, "kept", kept.family)

    apply_changes(hsm_group)
    assert removal.delete(destroyed, actor=ALICE)
    assert fresh(destroyed).state == "destroying"
    run_jobs()
    assert not SecurityObject.objects.exists()
    assert slot.halves(destroyed) == (None, None)
    assert slot.halves(kept)[0], "and nothing else was touched"
    assert Tombstone.objects.count() == 1, "a key that is gone needs none"
    entry = Entry.objects.get(action="hsm.object.deleted", subject_id=str(destroyed.pk))
    assert '"HSM":"destroyed"' in entry.details


def test_software_keys_are_what_is_changed(software_group: Group, make: MakeKey, run_jobs: RunJobs) -> None:
    cipher, signer, gone = (
        make(software_group, KeySpec.AES_256, "cipher", CIPHER),
        make(software_group, name="signer"),
        make(software_group, name="gone"),
    )
    permissions.request(cipher, frozenset({Operation.DECRYPT}), actor=ALICE)
    removal.remove_private(signer, actor=ALICE)
    removal.delete(gone, actor=ALICE)
    run_jobs()
    with open_group(software_group) as device:
        found = device.read(KeyFamily.SECRET_KEY, cipher.cka_id)
        assert found
        assert found.operations == {Operation.DECRYPT}
        half = device.read(KeyFamily.KEY_PAIR, signer.cka_id)
        assert half
        assert (half.has_private, half.has_public) == (False, True)
        assert device.read(KeyFamily.KEY_PAIR, gone.cka_id) is None
    assert fresh(cipher).operations == ["decrypt"]
    assert not SecurityObject.objects.filter(pk=gone.pk).exists()
    assert not Tombstone.objects.exists()


@pytest.mark.parametrize("chosen", Policy)
def test_deactivate_never_reaches_the_hsm(
    chosen: Policy, hsm_group: Group, slot: Slot, make: MakeKey, run_jobs: RunJobs
) -> None:
    """SOB-24."""
    Group.objects.filter(pk=hsm_group.pk).update(policy=chosen)
    key = make(hsm_group)
    before = slot.halves(key)
    activation.deactivate(key, actor=ALICE)
    assert run_jobs() == []
    with pytest.raises(RefusedError, match="deactivated"):
        decide(fresh(key), Operation.SIGN)
    assert slot.halves(key) == before
    with pytest.raises(ConflictError):
        activation.deactivate(key, actor=ALICE)
    activation.activate(key, actor=ALICE)
    decide(fresh(key), Operation.SIGN)


def test_one_change_at_a_time(hsm_group: Group, make: MakeKey, run_jobs: RunJobs) -> None:
    apply_changes(hsm_group)
    key = make(hsm_group)
    permissions.request(key, frozenset({Operation.SIGN}), actor=ALICE)
    for act in (removal.delete, removal.remove_private, activation.deactivate):
        with pytest.raises(ConflictError, match="under way"):
            act(key, actor=ALICE)
    assert Entry.objects.filter(outcome="refused", subject_id=str(key.pk)).count() == 3
    run_jobs()
    assert removal.delete(key, actor=ALICE)


def test_what_makes_no_sense_is_refused(software_group: Group, make: MakeKey) -> None:
    secret, pair = make(software_group, KeySpec.AES_128, "secret"), make(software_group)
    with pytest.raises(RefusedError, match="no public component"):
        removal.remove_private(secret, actor=ALICE)
    with pytest.raises(InvalidError, match="cannot encrypt"):
        permissions.request(pair, frozenset({Operation.ENCRYPT}), actor=ALICE)
    with pytest.raises(InvalidError, match="are the permissions that it has"):
        permissions.request(pair, record.operations(pair), actor=ALICE)


def test_a_failed_key_leaves_only_its_record(software_group: Group, make: MakeKey) -> None:
    key = make(software_group)
    SecurityObject.objects.filter(pk=key.pk).update(state="failed")
    assert removal.delete(key, actor=ALICE) is None
    assert not SecurityObject.objects.exists()
    assert not Tombstone.objects.exists()
