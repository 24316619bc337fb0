"""What set-up makes, and that it makes it once."""

import pytest

from console.activity.models import SignedHead
from console.servers.models import Server
from keys import setup
from keys.models.logkey import LogKey
from keys.models.root import Root, RootKind, RootState
from keys.models.subordinate import Subordinate

pytestmark = pytest.mark.django_db

STEPS = (setup.make_first_root, setup.make_legacy_root, setup.make_subordinates, setup.make_log_key)


def test_set_up_makes_the_first_keys_and_a_second_one_changes_nothing(server: Server) -> None:
    # KEY-01, KEY-03, KEY-05, KEY-08, KEY-31
    assert all(step() for step in STEPS)
    roots = {root.name: root for root in Root.objects.all()}
    assert set(roots) == {"ts1.example.com Root 0", "legacy-root"}
    assert {root.state for root in roots.values()} == {RootState.ACTIVE}
    assert {root.requested_by for root in roots.values()} == {"set-up"}
    below = Subordinate.objects.filter(state="active")
    assert {(key.purpose, key.root.name) for key in below} == {
        (purpose, "ts1.example.com Root 0") for purpose in ("server-tls", "message-signing", "client-tls-ca")
    }
    assert LogKey.objects.get().ready_at is not None
    assert SignedHead.objects.count() == 1
    assert [step() for step in STEPS[:3]] == [None, None, None]
    assert Root.objects.count() == 2
    assert Subordinate.objects.count() == 3


def test_an_interrupted_set_up_is_finished_as_root_0(server: Server) -> None:  # KEY-03
    setup._intend(server, RootKind.ROOT)
    setup.make_first_root()
    root = Root.objects.get()
    assert (root.number, root.state) == (0, RootState.ACTIVE)


def test_a_failed_first_attempt_does_not_use_the_number_up(server: Server) -> None:  # KEY-03
    root = setup._intend(server, RootKind.ROOT)
    Root.objects.filter(pk=root.pk).update(state=RootState.FAILED)
    setup.make_first_root()
    root.refresh_from_db()
    assert (root.number, root.state) == (0, RootState.ACTIVE)
