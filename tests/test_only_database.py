"""What the second leg leaves out, and what it must not."""

import pytest

from tests.fixtures.onlydatabase import Reason, elsewhere, reason

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.fixture
def rows(db): pass

@pytest.fixture
def database(): pass  # as tests/bootstrap gives it to a ./run

def test_pure(tmp_path): pass

@pytest.mark.django_db
def test_marked(): pass

def test_by_a_fixture_of_a_fixture(rows): pass

def test_by_processes(database): pass

@pytest.mark.one_database
def test_looks(rows): pass

@pytest.mark.one_database
def test_pure_and_marked(): pass
"""


def test_what_does_not_ask_for_the_database_may_be_left_out(pytester: pytest.Pytester) -> None:
    items, _ = pytester.inline_genitems("-p", "tests.fixtures.onlydatabase", pytester.makepyfile(TESTS))
    assert {item.name: reason(item) for item in items} == {
        "test_pure": Reason.NO_DATABASE,
        "test_marked": None,
        "test_by_a_fixture_of_a_fixture": None,
        "test_by_processes": None,
        "test_looks": Reason.ONE_DATABASE,
        "test_pure_and_marked": Reason.NO_DATABASE,
    }


def test_what_another_database_does_runs_on_that_one(pytester: pytest.Pytester) -> None:
    tests = (
        'import pytest\n@pytest.mark.only_on("postgresql")\ndef test_ends_sessions(db): pass\ndef test_any(db): pass'
    )
    items, _ = pytester.inline_genitems("-p", "tests.fixtures.onlydatabase", pytester.makepyfile(tests))
    assert [elsewhere(item, "postgresql") for item in items] == [None, None]
    assert [item.name for item in items if elsewhere(item, "sqlite")] == ["test_ends_sessions"]
