"""What a sync decides, case by case and over random tokens. No device, no database."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.device.objects import KeyFamily, ObjectRecord, Operation, Unmatched
from hsm.scan import Everything, Rule, ScanOption, address, rule
from hsm.syncing import facts
from hsm.syncing.matching import KnownKey
from hsm.syncing.plan import Buried, Plan, plan
from tests.hsm.syncing.records import TOKEN, after, known, listing, pair, secret

NOBODY = frozenset[tuple[KeyFamily, bytes]]()


def decide(
    *objects: ObjectRecord,
    keys: tuple[KnownKey, ...] = (),
    graves: tuple[Buried, ...] = (),
    scan: Rule | None = None,
    vanished: frozenset[tuple[KeyFamily, bytes]] = NOBODY,
) -> Plan:
    return plan(listing(*objects), keys, graves, scan or Everything(), vanished=vanished)


def changes_nothing(made: Plan) -> bool:
    return not (made.added or made.updates or made.missing)


def grave_of(record: ObjectRecord, *, serial: str = TOKEN.serial, wanted: bool = False, value: str = "") -> Buried:
    return Buried(uuid4(), record.label, address(record), serial, value, wanted)


def test_every_unknown_key_is_added() -> None:  # GRP-35, SOB-09
    same_label = (pair(b"\x01", "twin", b"a"), pair(b"\x02", "twin", b"b"), secret(b"\x01", "twin"))
    made = decide(*same_label)
    assert {address(one.record) for one in made.added} == {address(record) for record in same_label}


def test_a_second_plan_adds_nothing() -> None:  # SOB-09
    assert changes_nothing(decide(pair(), keys=(known(pair()),)))


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"label": "renamed"}, "CKA_LABEL"),
        ({"operations": frozenset({Operation.SIGN})}, "CKA_VERIFY"),
        ({"has_private": False}, "private half"),
        ({"spki_der": None, "has_public": False}, "public half"),
        ({"modifiable": False}, "CKA_MODIFIABLE"),
    ],
)
def test_a_change_in_the_hsm_is_named(change: dict[str, Any], attribute: str) -> None:
    (update,) = decide(replace(pair(), **change), keys=(known(pair()),)).changed
    assert attribute in update.attributes


def test_a_key_that_is_gone_is_missing_once() -> None:  # AMB-40
    key = known(pair())
    assert decide(keys=(key,)).missing == (key,)
    later = decide(keys=(replace(key, missing=True),))
    assert (later.missing, later.still_missing) == ((), (replace(key, missing=True),))


def test_a_key_that_is_there_again_is_back() -> None:
    (update,) = decide(pair(), keys=(known(pair(), missing=True),)).back
    assert update.attributes == ()


def test_another_cka_id_is_followed_by_the_public_value() -> None:  # AMB-39
    key = known(pair(b"\x01"))
    made = decide(pair(b"\x02"), keys=(key,))
    assert [(one.key, one.record.key_id) for one in made.moved] == [(key, b"\x02")]
    assert not made.added
    assert not made.missing


def test_two_that_swapped_their_cka_ids_are_told_apart() -> None:
    one, two = known(pair(b"\x01", "one", b"a")), known(pair(b"\x02", "two", b"b"))
    made = decide(pair(b"\x02", "one", b"a"), pair(b"\x01", "two", b"b"), keys=(one, two))
    assert {(update.key.pk, update.record.key_id) for update in made.moved} == {(one.pk, b"\x02"), (two.pk, b"\x01")}


def test_a_key_does_not_move_to_the_cka_id_of_another_virtual_key() -> None:
    one, two = known(pair(b"\x01", "one", b"a")), known(pair(b"\x02", "two", b"b"))
    made = decide(pair(b"\x02", "one", b"a"), keys=(one, two))
    assert (len(made.moved), len(made.missing), len(made.unmatched)) == (0, 2, 1)


def test_copies_are_told_apart_by_their_labels() -> None:  # AMB-39
    one, two = known(pair(b"\x01", "one", b"same")), known(pair(b"\x02", "two", b"same"))
    made = decide(pair(b"\x03", "two", b"same"), pair(b"\x04", "one", b"same"), keys=(one, two))
    assert {(update.key.pk, update.record.key_id) for update in made.moved} == {(one.pk, b"\x04"), (two.pk, b"\x03")}


def test_a_copy_that_is_imported_leaves_the_other_one_a_copy() -> None:
    former, one, two = pair(b"\x01"), pair(b"\x02"), pair(b"\x03")
    scan = rule(ScanOption.OWN, own=frozenset({address(one)}), asked_for=NOBODY)
    first = decide(one, two, keys=(known(former),), scan=scan)
    assert [addition.record for addition in first.added] == [one]
    assert changes_nothing(decide(one, two, keys=(known(former, missing=True), known(one)), scan=scan))


def test_copies_that_cannot_be_told_apart_are_not_guessed() -> None:
    one, two = known(pair(b"\x01", "same", b"same")), known(pair(b"\x02", "same", b"same"))
    made = decide(pair(b"\x03", "same", b"same"), pair(b"\x04", "same", b"same"), keys=(one, two))
    assert (len(made.moved), len(made.missing), len(made.added)) == (0, 2, 2)


def test_a_label_alone_proves_nothing() -> None:
    made = decide(secret(b"\x02", "payroll"), keys=(known(secret(b"\x01", "payroll")),))
    assert (len(made.missing), len(made.added), len(made.moved)) == (1, 1, 0)


def test_another_key_under_the_same_cka_id_is_not_taken_for_the_known_one() -> None:
    made = decide(pair(b"\x01", "one", b"other"), keys=(known(pair(b"\x01", "one", b"a")),))
    assert len(made.missing) == 1
    assert not made.added
    assert "public value differs" in made.unmatched[0].reason


def test_a_public_half_that_shows_up_is_learned() -> None:
    (update,) = decide(pair(), keys=(known(pair(value=None)),)).changed
    assert update.attributes == ("public half", "public value")


def test_keys_that_are_being_worked_on_are_not_touched() -> None:  # sync while keys are rotated
    busy = known(pair(), settled=False)
    there, away = decide(replace(pair(), label="new"), keys=(busy,)), decide(keys=(busy,))
    assert changes_nothing(there)
    assert there.left == (busy.name,)
    assert changes_nothing(away)
    assert not away.left


def test_a_key_that_was_deleted_while_the_hsm_was_read_stays_deleted() -> None:
    made = decide(pair(), vanished=frozenset({address(pair())}))
    assert changes_nothing(made)
    assert made.left == ("one",)


def test_a_deleted_virtual_key_is_skipped() -> None:  # AMB-38
    made = decide(pair(), graves=(grave_of(pair()),))
    assert changes_nothing(made)
    assert len(made.skipped) == 1


@pytest.mark.parametrize("grave", [grave_of(pair(), serial="another token"), grave_of(pair(), value="ff" * 32)])
def test_the_tombstone_of_another_key_does_not_count(grave: Buried) -> None:
    assert len(decide(pair(), graves=(grave,)).added) == 1


def test_import_again_holds_under_either_option() -> None:  # AMB-38
    grave = grave_of(pair(), wanted=True)
    for option in ScanOption:
        scan = rule(option, own=NOBODY, asked_for=frozenset({grave.address}))
        (addition,) = decide(pair(), graves=(grave,), scan=scan).added
        assert addition.tombstone == grave


def test_keys_of_others_are_left_alone_when_only_own_ones_are_wanted() -> None:  # POL-17, POL-19
    own = pair(b"\x02", "own", b"own")
    made = decide(pair(), own, scan=rule(ScanOption.OWN, own=frozenset({address(own)}), asked_for=NOBODY))
    assert [one.record for one in made.added] == [own]
    assert made.outside == (pair(),)


def test_known_keys_stay_managed_whatever_is_wanted_now() -> None:  # POL-18
    scan = rule(ScanOption.OWN, own=NOBODY, asked_for=NOBODY)
    assert len(decide(replace(pair(), label="new"), keys=(known(pair()),), scan=scan).changed) == 1
    assert len(decide(keys=(known(pair()),), scan=scan).missing) == 1


def test_what_the_device_could_not_use_is_reported() -> None:
    odd = Unmatched("CKO_CERTIFICATE", b"", "ca", "It is no key.")
    assert plan(listing(unmatched=(odd,)), (), (), Everything()).unmatched == (odd,)


def test_a_label_is_kept_without_what_a_database_or_a_page_cannot_take() -> None:
    assert facts.shown("a\x00b\n" + "x" * 300) == "a\\x00b\\x0a" + "x" * 245


IDS = st.sampled_from([bytes([number]) for number in range(6)])
VALUES = st.sampled_from([None, b"a", b"b", b"c"])
LABELS = st.sampled_from(["", "one", "two", "with \x00"])
RECORDS = st.one_of(st.builds(pair, IDS, LABELS, VALUES), st.builds(secret, IDS, LABELS))
TOKENS = st.lists(RECORDS, unique_by=address, max_size=8)


@given(TOKENS, TOKENS, st.sampled_from(ScanOption), st.data())
def test_a_plan_that_is_true_leaves_nothing_to_do(
    before: list[ObjectRecord], now: list[ObjectRecord], option: ScanOption, data: st.DataObject
) -> None:
    keys = [known(record, settled=data.draw(st.booleans()), missing=data.draw(st.booleans())) for record in before]
    graves = [grave_of(record, wanted=data.draw(st.booleans())) for record in data.draw(TOKENS)]
    wanted = frozenset(grave.address for grave in graves if grave.wanted)
    scan = rule(option, own=frozenset({(KeyFamily.KEY_PAIR, b"\x01")}), asked_for=wanted)
    first = plan(listing(*now), keys, graves, scan)
    later = after(keys, first)
    assert len({key.address for key in later}) == len(later)
    again = plan(listing(*now), later, [grave for grave in graves if not grave.wanted], scan)
    assert changes_nothing(again)
    # Every key is accounted for, once.
    counted = sum(map(len, (first.added, first.skipped, first.outside, first.unmatched)))
    paired = len(now) - counted
    assert 0 <= paired <= len(keys)
