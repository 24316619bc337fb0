"""Subordinate keys rotate by themselves, and private keys without a use are destroyed."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib import clock
from console.servers.models import Server
from keys import destruction, rotation, stores
from keys.actions import Action
from keys.errors import RotationRefusedError
from keys.jobs import REMAKE_SUBORDINATES, ROTATE_DUE
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from settings_store import store
from settings_store.models import Scope, Setting
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]
MoveClock = Callable[..., None]
TLS = "pki_server_tls_key"


def set_to(name: str, value: int) -> None:
    row = Setting.objects.filter(name=name).first()
    store.change(name, str(value), scope=Scope.GLOBAL, seen=row.token if row else "default", actor=ALICE)


def active(purpose: str) -> Subordinate:
    return Subordinate.objects.get(purpose=purpose, state="active")


def hours(key: Subordinate) -> float:
    assert key.not_after
    assert key.activated_at
    return round((key.not_after - key.activated_at) / timedelta(hours=1))


def test_defaults_are_those_of_the_table(make_root: MakeRoot) -> None:  # ROT-09, ROT-11, ROT-17, ROT-18
    make_root()
    assert {key.purpose: (hours(key), key.window_hours) for key in Subordinate.objects.all()} == {
        "server-tls": (60 * 24, 4),
        "message-signing": (180 * 24, 4),
        "client-tls-ca": (180 * 24, 168),
    }


@pytest.mark.parametrize(("days", "window", "expected"), [(1, 23, 24), (1, 24, 25), (7, 200, 201)])
def test_validity_is_at_least_an_hour_longer_than_the_window(
    make_root: MakeRoot, days: int, window: int, expected: int
) -> None:  # ROT-05, ROT-06, AMB-12
    set_to(f"{TLS}_renewal_window_hours", window)
    set_to(f"{TLS}_duration_days", days)
    make_root()
    key = active("server-tls")
    assert hours(key) == expected
    raised = Entry.objects.filter(action=Action.VALIDITY_RAISED, subject_id=str(key.pk))
    assert raised.exists() is (expected > days * 24)


def test_the_scan_renews_when_the_window_opens_and_not_before(
    make_root: MakeRoot, run_jobs: RunJobs, move_clock: MoveClock, server: Server
) -> None:  # ROT-01, ROT-02, ROT-03, MIS-12, KEY-53
    make_root()
    old = active("server-tls")
    move_clock(days=60, hours=-4, minutes=-10)
    assert rotation.start_due(server) is None
    move_clock(days=60, hours=-4, minutes=10)
    job = rotation.start_due(server)
    assert job is not None
    run_jobs()
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.message
    old.refresh_from_db()
    new = active("server-tls")
    assert (old.state, old.destroyed_at) == ("retired", None)
    assert old.not_after is not None
    assert old.not_after > clock.now()
    assert new.pk != old.pk
    assert Subordinate.objects.filter(purpose="message-signing").count() == 1  # only what was due
    assert rotation.start_due(server) is None


def test_one_job_at_a_time_and_a_pause_after_a_failure(
    make_root: MakeRoot, move_clock: MoveClock, server: Server
) -> None:
    make_root()
    move_clock(days=60)
    job = rotation.start_due(server)
    assert job is not None
    assert rotation.start_due(server) is None
    Job.objects.filter(pk=job.pk).update(state=State.FAILED, finished_at=clock.now())
    assert rotation.start_due(server) is None
    move_clock(days=60, minutes=16)
    assert rotation.start_due(server) is not None


def test_a_key_below_an_old_root_is_due(make_root: MakeRoot, server: Server) -> None:
    make_root()
    new = make_root()
    Subordinate.objects.filter(root=new, purpose="server-tls").delete()
    Subordinate.objects.filter(purpose="server-tls").update(state="active", retired_at=None)
    assert rotation.due(server, clock.now()) == {Purpose.SERVER_TLS: "Root 1 is the newest root"}


def test_asking_twice_is_refused_while_keys_are_made(make_root: MakeRoot) -> None:  # KEY-51
    make_root()
    key = active("client-tls-ca")
    rotation.request(key, actor=ALICE)
    with pytest.raises(RotationRefusedError, match="right now"):
        rotation.request(key, actor=ALICE)
    assert Job.objects.filter(kind_name=REMAKE_SUBORDINATES.name, state="queued").count() == 1


def test_the_housekeeping_runs_every_minute() -> None:  # MIS-12
    from console.jobs import kinds

    assert (ROTATE_DUE, 60) in kinds.periodic()


def destroyed(server: Server, run_jobs: RunJobs) -> set[str]:
    destruction.start_ripe(server)
    run_jobs()
    return set(Subordinate.objects.exclude(destroyed_at=None).values_list("purpose", flat=True))


def test_an_expired_key_is_destroyed_and_one_that_is_accepted_is_not(
    make_root: MakeRoot, run_jobs: RunJobs, move_clock: MoveClock, server: Server
) -> None:  # ROT-03
    make_root()
    old = active("server-tls")
    rotation.request(old, actor=ALICE)
    run_jobs()
    move_clock(days=59)
    assert destroyed(server, run_jobs) == set()
    move_clock(days=61)
    assert destroyed(server, run_jobs) == {"server-tls"}
    old.refresh_from_db()
    with stores.open_device(old) as device:
        assert device.find(old.cka_id) is None
    assert Entry.objects.get(action=Action.SUBORDINATE_DESTROYED).subject_id == str(old.pk)


@pytest.mark.parametrize(
    ("needed_until", "day", "gone"), [(None, 179, False), (None, 181, True), (30, 29, False), (30, 31, True)]
)
def test_an_intermediate_keeps_its_key_until_what_it_issued_has_ended(
    make_root: MakeRoot,
    run_jobs: RunJobs,
    move_clock: MoveClock,
    server: Server,
    needed_until: int | None,
    day: int,
    gone: bool,
) -> None:  # docs/design.md §5
    make_root()
    old = active("client-tls-ca")
    rotation.request(old, actor=ALICE)
    run_jobs()
    until: datetime | None = clock.now() + timedelta(days=needed_until) if needed_until else None
    Subordinate.objects.filter(pk=old.pk).update(needed_until=until)
    move_clock(days=day)
    ripe = {key.pk for key in destruction.ripe(server, clock.now())}
    assert (old.pk in ripe) is gone
