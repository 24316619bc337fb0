"""Import: the key gets into the device, and nothing of it stays anywhere else, however the job ends."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from console.activity.models import Entry
from console.jobs import queue, sweeping
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.errors import InvalidError
from console.lib.secret import Secret
from console.servers.models import Server
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import CipherScheme, KeyFamily, Operation
from hsm.models.groups import Group
from hsm.models.objects import KeyMaterial, ObjectState, Origin, SecurityObject
from hsm.objects import importing, material, reconciler
from hsm.objects.generation import Wanted
from hsm.objects.offer import MOST_BYTES, Spelling
from tests.fixtures.groups import ALICE
from tests.fixtures.searching import places_of
from tests.hsm.objects import samples
from tests.hsm.objects.conftest import CIPHER, SIGNING, RunJobs, Slot
from tests.hsm.objects.samples import AES_KEY, PASSPHRASE, ec_key, rsa_key, written

pytestmark = pytest.mark.django_db

Import = Callable[..., SecurityObject]


def ask(
    group: Group,
    value: bytes,
    spec: KeySpec = KeySpec.EC_P256,
    operations: frozenset[Operation] | None = None,
    **options: Any,
) -> tuple[SecurityObject, Job]:
    chosen = operations or (CIPHER if spec.is_aes else SIGNING)
    defaults: dict[str, Any] = {"spelling": Spelling.RAW, "passphrase": None, "actor": ALICE}
    return importing.request(group, Wanted("brought along", spec, chosen), Secret(value), **(defaults | options))


@pytest.fixture
def bring(run_jobs: RunJobs) -> Import:
    """Return a function that imports a key and waits for it."""

    def bring(group: Group, value: bytes, spec: KeySpec = KeySpec.EC_P256, **options: Any) -> SecurityObject:
        key, _ = ask(group, value, spec, **options)
        run_jobs()
        key.refresh_from_db()
        return key

    return bring


def test_a_known_aes_key_encrypts_as_it_does_elsewhere(any_group: Group, bring: Import) -> None:
    """SOB-12: encrypt by the HSM equals the local result."""
    key = bring(any_group, AES_KEY.hex().encode(), KeySpec.AES_256, spelling=Spelling.HEX)
    assert (key.state, key.origin, key.problem) == (ObjectState.ACTIVE, Origin.IMPORTED, "")
    with open_group(any_group) as device:
        sealed = device.encrypt(KeyFamily.SECRET_KEY, key.cka_id, b"a known text", CipherScheme.AES_GCM)
        ours = b"\1" * 12 + AESGCM(AES_KEY).encrypt(b"\1" * 12, b"a known text", None)
        assert device.decrypt(KeyFamily.SECRET_KEY, key.cka_id, ours, CipherScheme.AES_GCM) == b"a known text"
    iv, rest = sealed[:12], sealed[12:]
    assert AESGCM(AES_KEY).encrypt(iv, b"a known text", None) == rest
    assert not KeyMaterial.objects.exists()


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_pair_stands_in_the_slot(kind: str, hsm_group: Group, slot: Slot, bring: Import) -> None:
    """SOB-20: object in the slot with these flags, and not to be taken out again."""
    key_file, spec = (ec_key(), KeySpec.EC_P256) if kind == "ec" else (rsa_key(), KeySpec.RSA_2048)
    key = bring(hsm_group, written(key_file, passphrase=PASSPHRASE), spec, passphrase=Secret(PASSPHRASE))
    assert key.problem == ""
    private, public = slot.halves(key)
    assert private
    assert public
    assert (private.usage, public.usage) == ({"sign"}, {"verify"})
    assert (private.label, public.label) == ("brought along", "brought along")
    assert key.hsm_attributes["extractable"] is False
    assert key.hsm_attributes["local"] is False
    assert key.fingerprint == key.hsm_fingerprint
    assert (
        bytes(key.spki_der or b"")
        == material.read(spec, Secret(written(key_file)), spelling=Spelling.RAW, passphrase=None).spki_der
    )


@pytest.mark.parametrize(
    ("code", "value", "spec"),
    [
        ("rsa-size", lambda: written(rsa_key(1024)), KeySpec.RSA_2048),
        ("passphrase-missing", lambda: written(ec_key(), passphrase=PASSPHRASE), KeySpec.EC_P256),
        ("not-readable", lambda: written(ec_key())[:90], KeySpec.EC_P256),
        ("not-consistent", samples.with_the_point_of_another, KeySpec.EC_P256),
        ("wrong-length", lambda: AES_KEY[:16], KeySpec.AES_256),
    ],
)
def test_bad_material_never_reaches_the_device(
    code: str, value: Callable[[], bytes], spec: KeySpec, hsm_group: Group, slot: Slot, bring: Import
) -> None:
    key = bring(hsm_group, value(), spec)
    assert (key.state, key.problem_code, key.look_after) == (ObjectState.FAILED, code, None)
    job = Job.objects.get(kind_name="hsm.import")
    assert (job.state, job.error_code) == (State.FAILED, code)
    assert job.next_step
    assert not KeyMaterial.objects.exists()
    assert slot.objects("privkey") == slot.objects("secrkey") == {}


def test_the_same_key_is_not_brought_twice(software_group: Group, bring: Import, run_jobs: RunJobs) -> None:
    bring(software_group, written(ec_key()))
    again, _ = importing.request(
        software_group,
        Wanted("once more", KeySpec.EC_P256, SIGNING),
        Secret(written(ec_key(), Encoding.DER)),
        spelling=Spelling.RAW,
        passphrase=None,
        actor=ALICE,
    )
    run_jobs()
    again.refresh_from_db()
    assert (again.state, again.problem_code) == (ObjectState.FAILED, "already-here")


def test_longer_than_any_key(software_group: Group) -> None:
    with pytest.raises(InvalidError, match="64 KiB"):
        ask(software_group, b"x" * (MOST_BYTES + 1))
    with pytest.raises(InvalidError, match="Paste the key"):
        ask(software_group, b"")
    assert not SecurityObject.objects.exists()


def test_a_corrected_import_replaces_the_failed_one(software_group: Group, bring: Import) -> None:
    failed = bring(software_group, b"nothing")
    good = bring(software_group, written(ec_key()), instead=failed)
    assert list(SecurityObject.objects.all()) == [good]


# However the job ends, the material is gone.


def test_gone_when_it_is_cancelled(software_group: Group) -> None:
    key, job = ask(software_group, written(ec_key()))
    assert KeyMaterial.objects.filter(job=job).exists()
    queue.cancel(job, actor=ALICE)
    key.refresh_from_db()
    assert key.state == ObjectState.FAILED
    assert not KeyMaterial.objects.exists()


def test_gone_when_no_connection_works(slot: Slot, module_group: Callable[..., Group], bring: Import) -> None:
    key = bring(module_group(slot.token, pin="00000000"), written(ec_key()))
    assert key.state == ObjectState.FAILED
    assert not KeyMaterial.objects.exists()


def test_gone_after_an_error_that_nobody_foresaw(
    software_group: Group, bring: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(material, "read", broken)
    bring(software_group, written(ec_key()))
    assert Job.objects.get(kind_name="hsm.import").state == State.FAILED
    assert not KeyMaterial.objects.exists()


def test_gone_when_the_worker_was_lost(software_group: Group, server: Server, go_on: Callable[[], None]) -> None:
    """The worker dies after it claimed the job: the next attempt only looks, and never opens the material."""
    key, job = ask(software_group, written(ec_key()))
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=1, lease_until=clock.now())
    SecurityObject.objects.filter(pk=key.pk).update(state=ObjectState.CREATING, attempt=1)
    sweeping.settle_lost(server, clock.now())
    go_on()
    key.refresh_from_db()
    assert (key.state, key.problem_code) == (ObjectState.FAILED, "INTERRUPTED")
    assert not KeyMaterial.objects.exists()


def test_gone_when_nothing_else_did_it(software_group: Group, server: Server) -> None:
    """Housekeeping forgets what a job left that has ended."""
    key, job = ask(software_group, written(ec_key()))
    Job.objects.filter(pk=job.pk).update(state=State.FAILED, finished_at=clock.now())
    assert reconciler.reconcile(server).endswith("material of 1 imports forgotten.")
    assert not KeyMaterial.objects.exists()
    key.refresh_from_db()
    assert key.state == ObjectState.REQUESTED  # and is taken up when no call of it can be running any more


def test_sealed_while_it_waits_and_nowhere_afterwards(
    hsm_group: Group, var_dir: Path, run_jobs: RunJobs, caplog: pytest.LogCaptureFixture
) -> None:
    """SOB-12: no copy of the material remains, in no row, log or message."""
    caplog.set_level(logging.DEBUG)
    pair = written(ec_key(), Encoding.DER)
    scalar = ec_key().private_numbers().private_value.to_bytes(32)
    secrets = [AES_KEY, pair, scalar, PASSPHRASE]
    ask(hsm_group, written(ec_key(), passphrase=PASSPHRASE), passphrase=Secret(PASSPHRASE))
    importing.request(
        hsm_group,
        Wanted("cipher", KeySpec.AES_256, CIPHER),
        Secret(AES_KEY),
        spelling=Spelling.RAW,
        passphrase=None,
        actor=ALICE,
    )
    assert not [place for secret in secrets for place in places_of(secret)]
    run_jobs()
    assert SecurityObject.objects.filter(state=ObjectState.ACTIVE).count() == 2
    assert not [place for secret in secrets for place in places_of(secret, var_dir, text=caplog.text)]
    assert Entry.objects.filter(action="hsm.object.imported").count() == 2
