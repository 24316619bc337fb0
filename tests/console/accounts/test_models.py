"""What a user may do, and what the database itself refuses."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from console.accounts import triggers
from console.accounts.grants import GRANTS, RoleKey, granted
from console.accounts.models import Role, User
from console.lib.capability import Capability

pytestmark = pytest.mark.django_db


def test_an_administrator_may_do_everything(admin: User) -> None:  # ROL-01, ROL-02
    assert all(admin.may(capability) for capability in Capability)


def test_an_auditor_reads_and_changes_nothing(auditor: User) -> None:  # AMB-35
    allowed = {capability for capability in Capability if auditor.may(capability)}
    assert allowed == {Capability.PUBLIC, Capability.SIGNED_IN, Capability.READ, Capability.SEE_QUESTIONS}


def test_a_user_without_a_role_may_only_be_signed_in(plain_user: User) -> None:
    assert plain_user.capabilities == {Capability.PUBLIC, Capability.SIGNED_IN}


def test_a_user_who_is_not_active_may_do_nothing(admin: User) -> None:
    admin.is_active = False
    assert not any(admin.may(capability) for capability in Capability)


def test_a_question_user_asks_questions_and_nothing_else(make_user: Callable[..., User]) -> None:  # ROL-04
    asker = make_user("quentin", RoleKey.QUESTION_USER)
    questions = {Capability.ASK_QUESTIONS, Capability.SEE_QUESTIONS}
    assert asker.capabilities == questions | {Capability.PUBLIC, Capability.SIGNED_IN}


def test_the_roles_exist_from_the_start() -> None:  # ROL-03
    assert {role.key: role.name for role in Role.objects.all()} == {
        "administrator": "Administrator",
        "auditor": "Auditor",
        "question-user": "Question user",
    }
    assert set(GRANTS) == set(RoleKey)


@pytest.mark.parametrize("key", list(RoleKey))
def test_the_database_refuses_to_delete_a_role(key: RoleKey) -> None:  # ROL-03
    with pytest.raises(DatabaseError, match="cannot be deleted"), transaction.atomic():
        Role.objects.filter(key=key).delete()
    assert Role.objects.filter(key=key).exists()


@pytest.mark.parametrize("changes", [{"name": "Helper"}, {"key": "helper"}, {"name": "Auditor"}])
def test_the_database_refuses_to_rename_a_role(changes: dict[str, str]) -> None:  # ROL-03
    with pytest.raises(IntegrityError), transaction.atomic():
        Role.objects.filter(key=RoleKey.ADMINISTRATOR).update(**changes)


def test_the_database_refuses_a_made_up_role() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Role.objects.create(key="superuser", name="Superuser")


def test_a_missing_trigger_is_named() -> None:
    assert triggers.missing(connection) == []
    triggers.remove(connection)
    assert triggers.missing(connection) == [triggers.NAME]
    triggers.install(connection)
    assert triggers.missing(connection) == []


def test_two_names_that_differ_in_case_are_one(admin: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username=admin.username.upper())
    assert User.objects.get_by_natural_key(admin.username.upper()) == admin


def test_the_actor_is_text(admin: User) -> None:
    assert (admin.actor.name, admin.actor.id) == (admin.username, str(admin.pk))


def test_an_unknown_role_key_grants_nothing() -> None:
    assert granted(["superuser"]) == {Capability.PUBLIC, Capability.SIGNED_IN}
