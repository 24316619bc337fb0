"""The one function that decides: each mark alone, and all of them together, against an oracle written otherwise."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.lib.errors import RefusedError
from hsm.device.objects import Operation
from hsm.models.groups import Group, GroupKind
from hsm.models.objects import Family, ObjectState, SecurityObject
from hsm.use.deciding import decide

WHEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERYTHING = list(Operation)


def key(*, group_deleted_at: datetime | None = None, **marks: Any) -> SecurityObject:
    """Return a key that may do everything, but for these marks; nothing of it is stored."""
    group = Group(title="Luna production", kind=GroupKind.HSM, deleted_at=group_deleted_at)
    plain: dict[str, object] = {
        "id": uuid.UUID(int=1),
        "name": "payments",
        "family": Family.KEY_PAIR,
        "state": ObjectState.ACTIVE,
        "operations": [operation.value for operation in EVERYTHING],
    }
    return SecurityObject(group=group, **(plain | marks))


def refusal(of: SecurityObject, operation: Operation) -> str:
    """Return the code of the refusal, empty for none."""
    said: list[RefusedError] = []
    try:
        decide(of, operation)
    except RefusedError as error:
        said.append(error)
    assert all(error.next_step and error.message.endswith("Nothing was done.") for error in said)
    assert not any("{" in error.message + error.next_step for error in said)
    return "".join(error.code for error in said)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("family", Family)
def test_a_key_without_a_mark_does_what_it_is_permitted(family: Family, operation: Operation) -> None:
    assert refusal(key(family=family), operation) == ""


@pytest.mark.parametrize("operation", Operation)
def test_what_is_not_permitted_is_refused(operation: Operation) -> None:  # SOB-23
    others = [other.value for other in Operation if other is not operation]
    # What the HSM would allow makes no difference.
    of = key(operations=others, hsm_operations=[operation.value])
    assert refusal(of, operation) == "NOT_PERMITTED"
    assert all(refusal(of, other) == "" for other in Operation if other is not operation)


@pytest.mark.parametrize(
    ("marks", "code"),
    [
        ({"deactivated_at": WHEN}, "KEY_DEACTIVATED"),  # SOB-24
        ({"missing_since": WHEN}, "KEY_MISSING"),  # AMB-40
        ({"group_deleted_at": WHEN}, "GROUP_DELETED"),
        ({"state": ObjectState.REQUESTED}, "KEY_UNSETTLED"),
        ({"state": ObjectState.CREATING}, "KEY_UNSETTLED"),
        ({"state": ObjectState.UNKNOWN}, "KEY_UNSETTLED"),
        ({"state": ObjectState.FAILED, "problem": "the HSM refused."}, "KEY_FAILED"),
        ({"state": ObjectState.FAILED}, "KEY_FAILED"),
        ({"state": ObjectState.DESTROYING}, "KEY_DESTROYING"),
        ({"state": "a state of a later version"}, "KEY_NOT_ACTIVE"),
    ],
)
def test_a_mark_that_stops_everything(marks: dict[str, Any], code: str) -> None:
    assert {refusal(key(**marks), operation) for operation in Operation} == {code}


def test_every_state_but_active_is_refused() -> None:
    assert [state for state in ObjectState if not refusal(key(state=state), Operation.SIGN)] == [ObjectState.ACTIVE]


def test_a_rotated_key_only_opens_and_checks() -> None:  # AMB-21
    done = {operation for operation in Operation if refusal(key(rotated_at=WHEN), operation) == ""}
    assert done == {Operation.DECRYPT, Operation.VERIFY, Operation.UNWRAP}
    assert refusal(key(rotated_at=WHEN), Operation.SIGN) == "KEY_ROTATED"


@pytest.mark.parametrize(
    ("marks", "code"),
    [({"private_removed_at": WHEN}, "PRIVATE_REMOVED"), ({"hsm_has_private": False}, "PRIVATE_ABSENT")],
)
def test_without_its_private_half_a_pair_does_what_the_public_one_can(marks: dict[str, Any], code: str) -> None:
    refused = {operation for operation in Operation if refusal(key(**marks), operation) == code}
    assert refused == {Operation.SIGN, Operation.DECRYPT, Operation.UNWRAP, Operation.DERIVE}  # SOB-28
    assert all(refusal(key(**marks), operation) == "" for operation in set(Operation) - refused)
    assert not any(refusal(key(family=Family.SECRET_KEY, **marks), operation) for operation in Operation)


def test_what_cannot_be_helped_is_said_before_a_permission_that_would_not_help() -> None:
    assert refusal(key(deactivated_at=WHEN, operations=[]), Operation.SIGN) == "KEY_DEACTIVATED"
    assert refusal(key(rotated_at=WHEN, operations=[]), Operation.SIGN) == "KEY_ROTATED"


times = st.sampled_from([None, WHEN])


@given(
    operation=st.sampled_from(Operation),
    permitted=st.sets(st.sampled_from(Operation)),
    family=st.sampled_from(Family),
    state=st.sampled_from(ObjectState),
    deactivated_at=times,
    rotated_at=times,
    missing_since=times,
    private_removed_at=times,
    group_deleted_at=times,
    hsm_has_private=st.sampled_from([None, True, False]),
)
@example(
    operation=Operation.VERIFY,
    permitted={Operation.VERIFY},
    family=Family.KEY_PAIR,
    state=ObjectState.ACTIVE,
    deactivated_at=None,
    rotated_at=WHEN,
    missing_since=None,
    private_removed_at=WHEN,
    group_deleted_at=None,
    hsm_has_private=False,
)
def test_any_combination_of_marks(
    operation: Operation,
    permitted: set[Operation],
    family: Family,
    state: ObjectState,
    hsm_has_private: bool | None,
    **times_of: datetime | None,
) -> None:
    of = key(
        operations=[item.value for item in permitted],
        family=family,
        state=state,
        hsm_has_private=hsm_has_private,
        **times_of,
    )
    whole = state == ObjectState.ACTIVE and not any(
        times_of[mark] for mark in ("deactivated_at", "missing_since", "group_deleted_at")
    )
    halves = (
        family == Family.SECRET_KEY
        or operation in (Operation.ENCRYPT, Operation.VERIFY, Operation.WRAP)
        or (times_of["private_removed_at"] is None and hsm_has_private is not False)
    )
    young = times_of["rotated_at"] is None or operation in (Operation.DECRYPT, Operation.VERIFY, Operation.UNWRAP)
    may = whole and halves and young and operation in permitted
    assert (refusal(of, operation) == "") is may
