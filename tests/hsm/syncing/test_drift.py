"""Three columns: what policy and console say, what the virtual key holds, what the HSM said."""

from typing import Any

import pytest

from console.lib import clock
from hsm.models.groups import Group, Policy
from hsm.models.objects import SecurityObject
from hsm.syncing import drift
from tests.hsm.syncing.conftest import Sync
from tests.hsm.syncing.outside import Outside


@pytest.fixture
def key(group: Group, outside: Outside, sync: Sync) -> SecurityObject:
    outside.ec("a1", "payroll").done()
    sync(group)
    return SecurityObject.objects.select_related("group").get()


def differing(key: SecurityObject) -> dict[str, tuple[str, str]]:
    return {row.attribute: (row.virtual, row.hsm) for row in drift.rows(key) if row.differs}


def test_right_after_a_sync_nothing_differs(key: SecurityObject) -> None:
    assert differing(key) == {}
    assert {"CKA_LABEL", "CKA_ID", "CKA_SIGN", "CKA_SENSITIVE", "private half", "public half", "public value"} <= {
        row.attribute for row in drift.rows(key)
    }


def test_a_permission_of_one_side_differs(key: SecurityObject) -> None:  # POL-07
    key.operations = ["sign", "encrypt"]
    assert differing(key)["CKA_ENCRYPT"] == ("yes", "no")
    assert differing(key)["CKA_VERIFY"] == ("no", "yes")


@pytest.mark.parametrize(
    ("policy", "told"), [(Policy.KEEP, "changes stay here"), (Policy.APPLY, "changes are applied")]
)
def test_the_policy_stands_in_the_first_column(key: SecurityObject, policy: str, told: str) -> None:
    key.group.policy = policy
    assert {row.console for row in drift.rows(key) if row.attribute == "CKA_SIGN"} == {told}


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"hsm_label": "renamed"}, "CKA_LABEL"),
        ({"private_removed_at": clock.now()}, "private half"),
        ({"hsm_fingerprint": "ff" * 32}, "public value"),
        ({"hsm_has_public": False}, "public half"),
        ({"origin": "generated", "hsm_attributes": {"extractable": True}}, "CKA_EXTRACTABLE"),
    ],
)
def test_each_attribute_can_differ(key: SecurityObject, change: dict[str, Any], attribute: str) -> None:
    for name, value in change.items():
        setattr(key, name, value)
    assert attribute in differing(key)


def test_a_key_without_its_private_half_here_cannot_sign_here(key: SecurityObject) -> None:  # SOB-28
    key.private_removed_at = clock.now()
    assert differing(key)["CKA_SIGN"] == ("no", "yes")


def test_missing_and_never_read(key: SecurityObject) -> None:  # AMB-40
    key.missing_since = clock.now()
    assert {row.hsm for row in drift.rows(key)} == {"missing"}
    key.missing_since, key.hsm_seen_at = None, None
    assert {row.hsm for row in drift.rows(key)} == {"not read yet"}
    assert differing(key) == {}


def test_a_key_of_a_software_group_has_no_second_side(key: SecurityObject) -> None:
    key.group.kind = "software"
    assert drift.rows(key) == []
