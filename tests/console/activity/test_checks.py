"""docs/design.md §6: a system check confirms the triggers, and Home says so too."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from console import panels
from console.activity import checks, triggers
from console.home import Mark
from console.servers.models import Server


@pytest.mark.django_db(transaction=True)
def test_missing_triggers_are_named_and_can_be_made_again(server: Server) -> None:
    assert checks.append_only(databases=["default"]) == []
    triggers.remove(connection)
    found = checks.append_only(databases=["default"])
    assert [item.id for item in found] == ["activity.W001"]
    assert triggers.missing(connection)[0] in found[0].msg
    assert panels.log(RequestFactory().get("/")).state is Mark.BAD
    call_command("migrate", "activity", "0001", verbosity=0)
    call_command("migrate", "activity", verbosity=0)
    assert checks.append_only(databases=["default"]) == []


def test_a_database_without_tables_is_not_judged(server: Server) -> None:
    assert checks.append_only() == []
