"""Deleting a group: what goes, what stays, and what stands in the way."""

import secrets
from collections.abc import Callable

import pytest

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib import clock
from console.lib.errors import ConflictError, NotFoundError, RefusedError
from hsm.actions import Action
from hsm.groups import deletion
from hsm.models.groups import Connection, Group
from hsm.models.objects import Family, ObjectState, Origin, SecurityObject, Tombstone
from hsm.syncing import requests
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import SoftHsm, Token


def virtual_key(group: Group, name: str, state: ObjectState = ObjectState.ACTIVE) -> SecurityObject:
    return SecurityObject.objects.create(
        group=group,
        name=name,
        family=Family.KEY_PAIR,
        key_type="EC",
        key_id=secrets.token_hex(16),
        origin=Origin.FOUND,
        state=state,
        created_at=clock.now(),
        created_by="alice",
    )


def test_the_keys_in_the_hsm_stay_and_no_connection_is_needed(
    module_group: Callable[..., Group],
    token: Token,
    softhsm: SoftHsm,
    run_jobs: Callable[..., list[Job]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = module_group(token)
    monkeypatch.setattr(deletion, "BATCH", 2)
    for number in range(5):
        virtual_key(group, f"key {number}")
    virtual_key(group, "was it made?", ObjectState.UNKNOWN)
    Tombstone.objects.create(
        group=group, family=Family.KEY_PAIR, key_id="ab", name="old", deleted_at=clock.now(), deleted_by="alice"
    )
    softhsm.remove(token)
    deletion.delete(group, actor=ALICE)
    entry = Entry.objects.get(action=Action.GROUP_DELETED)
    assert "was it made?" in entry.details  # with its CKA_ID: nobody looks for it any more
    assert not Connection.objects.exists()
    jobs = run_jobs()
    assert jobs[-1].message == "The records of 6 virtual keys were removed. Keys in the HSM were not touched."
    assert not SecurityObject.objects.exists()
    assert not Tombstone.objects.exists()
    with pytest.raises(NotFoundError, match="deleted meanwhile"):
        deletion.delete(group, actor=ALICE)


def test_a_software_group_with_keys_stays(software_group: Group) -> None:
    key = virtual_key(software_group, "the only copy")
    with pytest.raises(RefusedError, match="holds 1 key in the key store"):
        deletion.delete(software_group, actor=ALICE)
    assert Entry.objects.get(action=Action.GROUP_DELETED).outcome == "refused"
    SecurityObject.objects.filter(pk=key.pk).delete()
    deletion.delete(software_group, actor=ALICE)
    software_group.refresh_from_db()
    assert software_group.deleted_at


def test_a_group_at_work_stays(module_group: Callable[..., Group], token: Token) -> None:
    group = module_group(token)
    virtual_key(group, "coming", ObjectState.CREATING)
    with pytest.raises(ConflictError, match="being made or deleted"):
        deletion.delete(group, actor=ALICE)
    group.refresh_from_db()
    assert group.deleted_at is None


def test_a_group_that_is_synced_stays(module_group: Callable[..., Group], token: Token) -> None:
    group = module_group(token)
    requests.sync(group, actor=ALICE)
    with pytest.raises(ConflictError, match="being synced"):
        deletion.delete(group, actor=ALICE)
    group.refresh_from_db()
    assert group.deleted_at is None


def test_a_dead_hsm_does_not_keep_a_group_for_ever(module_group: Callable[..., Group], token: Token) -> None:
    """A destruction whose outcome cannot be found out is named in the entry, as keys that may have been made are."""
    group = module_group(token)
    key = virtual_key(group, "half gone", ObjectState.DESTROYING)
    with pytest.raises(ConflictError, match="being made or deleted"):
        deletion.delete(group, actor=ALICE)
    SecurityObject.objects.filter(pk=key.pk).update(problem_code="GATEWAY_DEADLINE", problem="Is it destroyed?")
    deletion.delete(group, actor=ALICE)
    assert "half gone" in Entry.objects.get(action=Action.GROUP_DELETED, outcome="succeeded").details
