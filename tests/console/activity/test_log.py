"""Appending: every entry is chained, in the caller's transaction, and stays."""

import json

import pytest
from django.db import IntegrityError, InternalError, OperationalError, connection, transaction

from console.activity import chain, log, triggers
from console.activity.models import Entry, Head, Outcome
from console.lib.actor import Actor
from console.lib.secret import Secret
from console.lib.subject import Subject

pytestmark = pytest.mark.django_db

ALICE = Actor.system("test")
THING = Subject("setting", "7", "HSMModulePath")


def _append(**details: object) -> Entry:
    with transaction.atomic():
        return log.append("settings.changed", THING, actor=ALICE, details=details)


def test_entries_are_chained_from_the_genesis() -> None:
    first, second = _append(), _append(value=1)
    assert first.previous_hash == chain.GENESIS
    assert second.previous_hash == first.hash
    assert second.seq == first.seq + 1
    assert Head.objects.get().hash == second.hash


def test_the_stored_row_has_the_hash_of_its_fields() -> None:
    entry = Entry.objects.get(pk=_append(old="a", new="b").pk)
    assert entry.computed_hash() == entry.hash


def test_a_secret_is_redacted_by_its_type() -> None:
    entry = _append(pin=Secret("4711"))
    assert json.loads(entry.details) == {"pin": "(protected)"}


@pytest.mark.django_db(transaction=True)
def test_needs_the_transaction_of_what_it_records() -> None:
    with pytest.raises(RuntimeError):
        log.append("settings.changed", THING, actor=ALICE)


def test_a_rolled_back_act_leaves_no_entry() -> None:
    before = Head.objects.get().seq
    with pytest.raises(ValueError, match="no"), transaction.atomic():
        log.append("settings.changed", THING, actor=ALICE)
        raise ValueError("no")
    assert Head.objects.get().seq == before
    assert not Entry.objects.filter(seq__gt=before).exists()


def test_a_refusal_is_recorded() -> None:
    entry = log.refuse("keys.root.revoked", THING, actor=ALICE)
    assert entry.outcome == Outcome.REFUSED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activity_entry SET actor = 'eve'",
        "DELETE FROM activity_entry",
        "DELETE FROM activity_signedhead",
    ],
)
def test_the_database_refuses_changes(statement: str) -> None:
    _append()
    if "signedhead" in statement:
        _sign_something()
    with (
        pytest.raises((IntegrityError, InternalError, OperationalError)),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_missing_triggers_are_named() -> None:
    assert triggers.missing(connection) == []
    triggers.remove(connection)
    assert len(triggers.missing(connection)) == 4
    triggers.install(connection)
    assert triggers.missing(connection) == []


def _sign_something() -> None:
    from console.activity.models import SignedHead
    from console.lib import clock

    SignedHead.objects.create(seq=1, hash="0" * 64, server="a", signed_at=clock.now(), public_key=b"k", signature=b"s")
