"""The worker, the module and the gateway killed before and after a key exists: nothing twice, left behind or lost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from console.jobs.models import Job, State
from console.lib.secret import Secret
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.models.groups import Group
from hsm.models.objects import KeyMaterial, ObjectState, SecurityObject
from hsm.objects import generation, importing, removal, rotation
from hsm.objects.generation import Wanted
from hsm.objects.offer import Spelling
from tests.fixtures.gateway import Gateways
from tests.fixtures.groups import ALICE
from tests.hsm.objects.conftest import CIPHER, SIGNING, MakeKey, RunJobs, Slot, apply_changes
from tests.hsm.objects.samples import AES_KEY, ec_key, written
from tests.shim.faulty import FaultyModule

GoOn = Callable[[], None]


def fresh(key: SecurityObject) -> SecurityObject:
    return SecurityObject.objects.select_related("group").get(pk=key.pk)


def ask(group: Group, name: str = "payments", spec: KeySpec = KeySpec.EC_P256) -> tuple[SecurityObject, Job]:
    operations = CIPHER if spec.is_aes else SIGNING
    return generation.request(group, Wanted(name, spec, operations), actor=ALICE)


def bring(group: Group, value: bytes, spec: KeySpec) -> tuple[SecurityObject, Job]:
    wanted = Wanted("brought", spec, CIPHER if spec.is_aes else SIGNING)
    return importing.request(group, wanted, Secret(value), spelling=Spelling.RAW, passphrase=None, actor=ALICE)


@pytest.fixture(params=["module", "gateway"])
def shim_group(
    request: pytest.FixtureRequest,
    shim: FaultyModule,
    slot: Slot,
    run_jobs: RunJobs,
    module_group: Callable[..., Group],
    gateway_group: Callable[..., Group],
) -> Group:
    """Return a group that reaches the shim, by itself and through a real gateway."""
    if request.param == "module":
        group = module_group(replace(slot.token, module=str(shim.path)))
    else:
        gateways: Gateways = request.getfixturevalue("gateway")
        running = gateways.start(str(shim.path), slot.token)
        group = gateway_group(running, slot.token)
    run_jobs()
    return group


def check_one_or_none(key: SecurityObject, slot: Slot) -> None:
    """Either the key is active and stands in the slot once, or it failed and nothing of it is there."""
    here = fresh(key)
    private, public = slot.halves(here)
    if here.state == ObjectState.ACTIVE:
        assert private, here.problem
        assert public or here.family == "secret-key"
        assert here.hsm_operations == here.operations
    else:
        assert here.state == ObjectState.FAILED, (here.state, here.problem)
        assert (private, public) == (None, None), here.problem
        assert here.look_after is None
    kind = "secrkey" if here.family == "secret-key" else "privkey"
    assert len(slot.objects(kind)) == (1 if private else 0), "no orphan"
    assert not KeyMaterial.objects.exists()


@pytest.mark.one_database
@pytest.mark.django_db
class TestModuleDies:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_in_generation(
        self, when: str, shim_group: Group, shim: FaultyModule, slot: Slot, run_jobs: RunJobs, go_on: GoOn
    ) -> None:
        key, job = ask(shim_group)
        shim.order(f"C_GenerateKeyPair {when} crash")
        run_jobs()
        doubtful = fresh(key)
        assert doubtful.state == ObjectState.UNKNOWN
        assert Job.objects.get(pk=job.pk).state == State.SCHEDULED
        shim.behave()
        go_on()
        assert fresh(key).state == (ObjectState.ACTIVE if when == "after" else ObjectState.FAILED)
        check_one_or_none(key, slot)

    @pytest.mark.parametrize(
        ("shim_group", "kind", "when"),
        [
            ("module", "pair", "before"),
            ("module", "secret", "after"),
            ("gateway", "pair", "after"),
        ],
        indirect=["shim_group"],
    )
    def test_in_an_import(
        self, kind: str, when: str, shim_group: Group, shim: FaultyModule, slot: Slot, run_jobs: RunJobs, go_on: GoOn
    ) -> None:
        given = (AES_KEY, KeySpec.AES_256) if kind == "secret" else (written(ec_key()), KeySpec.EC_P256)
        key, _ = bring(shim_group, *given)
        shim.order(f"C_CreateObject {when} crash")
        run_jobs()
        assert not KeyMaterial.objects.exists(), "forgotten at once: nobody will import it a second time"
        shim.behave()
        go_on()
        check_one_or_none(key, slot)

    @pytest.mark.parametrize("shim_group", ["module"], indirect=True)
    def test_answers_with_an_error_for_a_key_that_it_made(
        self, shim_group: Group, shim: FaultyModule, slot: Slot, run_jobs: RunJobs, go_on: GoOn
    ) -> None:
        key, _ = ask(shim_group)
        shim.order("C_GenerateKeyPair after return 0x5")
        run_jobs()
        shim.behave()
        go_on()
        check_one_or_none(key, slot)


@pytest.mark.django_db
def test_a_frozen_gateway_makes_the_key_late(
    slot: Slot,
    gateway: Gateways,
    gateway_group: Callable[..., Group],
    run_jobs: RunJobs,
    go_on: GoOn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The console gives up waiting; the gateway may still be at it. It is looked for, and never asked for again."""
    running = gateway.start(slot.token.module, slot.token)
    group = gateway_group(running, slot.token)
    run_jobs()
    monkeypatch.setattr("hsm.connections.reaching.reach.__wrapped__.__defaults__", (2.0,))
    key, _ = ask(group)
    running.freeze()
    run_jobs()
    assert fresh(key).state in (ObjectState.UNKNOWN, ObjectState.FAILED)
    running.thaw()
    go_on()
    check_one_or_none(key, slot)


@pytest.mark.django_db
def test_a_dead_gateway(
    slot: Slot, gateway: Gateways, gateway_group: Callable[..., Group], make: MakeKey, run_jobs: RunJobs, go_on: GoOn
) -> None:
    running = gateway.start(slot.token.module, slot.token)
    group = gateway_group(running, slot.token)
    old = make(group)
    running.kill()
    new, _ = rotation.request(old, actor=ALICE)
    run_jobs()
    assert fresh(new).state == ObjectState.FAILED
    assert fresh(old).successor_id is None
    running.start()
    apply_changes(group)
    removal.delete(fresh(old), actor=ALICE)
    go_on()
    assert slot.objects("privkey") == {}


MAKING = [
    ("generate", "hsm.objects.making:_Attempt._ask", "before"),
    ("generate", "hsm.objects.making:_Attempt._ask", "after"),
    ("import", "hsm.objects.sealed:opened", "after"),
    ("import", "hsm.objects.making:_Attempt._ask", "after"),
    ("rotate", "hsm.objects.renaming:take_over", "after"),
]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestWorkerDies:
    @pytest.mark.parametrize(("what", "point", "when"), MAKING)
    def test_while_it_makes(  # noqa: PLR0917 - a case and what it needs
        self,
        what: str,
        point: str,
        when: str,
        hsm_group: Group,
        slot: Slot,
        make: MakeKey,
        run_jobs: RunJobs,
        run_killed: Callable[[Job, str, str], None],
        go_on: GoOn,
    ) -> None:
        run_jobs()
        if what == "rotate":
            old = make(hsm_group, KeySpec.AES_256, "old")
            key, job = rotation.request(old, actor=ALICE)
        elif what == "import":
            key, job = bring(hsm_group, written(ec_key()), KeySpec.EC_P256)
        else:
            key, job = ask(hsm_group)
        run_killed(job, point, when)
        go_on()
        if what == "rotate":
            assert fresh(key).state == ObjectState.ACTIVE
            assert fresh(old).successor_id == key.pk
            assert fresh(old).rotated_at
            assert len(slot.objects("secrkey")) == 2
        else:
            check_one_or_none(key, slot)

    def test_in_the_software_store_the_key_is_made_after_all(
        self, software_group: Group, run_jobs: RunJobs, run_killed: Callable[[Job, str, str], None], go_on: GoOn
    ) -> None:
        run_jobs()
        key, job = ask(software_group)
        run_killed(job, "hsm.objects.making:_Attempt._ask", "before")
        go_on()
        here: Any = fresh(key)
        assert (here.state, here.problem) == (ObjectState.ACTIVE, "")
        with open_group(software_group) as device:
            assert [record.key_id for record in device.read_all().objects] == [here.cka_id]

    @pytest.mark.parametrize("point", ["hsm.objects.changing:_on_device"])
    def test_while_it_destroys(
        self,
        point: str,
        hsm_group: Group,
        slot: Slot,
        make: MakeKey,
        run_killed: Callable[[Job, str, str], None],
        go_on: GoOn,
    ) -> None:
        apply_changes(hsm_group)
        key = make(hsm_group)
        job = removal.delete(key, actor=ALICE)
        assert job
        run_killed(job, point, "after")
        go_on()
        assert not SecurityObject.objects.exists()
        assert slot.objects("privkey") == {}
