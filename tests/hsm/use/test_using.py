"""Using a key by a job: real keys in pki.db and on a token, and what is left of the data afterwards."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from console.activity.models import Entry, Outcome
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor, ActorKind
from console.lib.secret import Secret
from hsm.actions import Action
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.objects import CipherScheme, MacScheme, Operation
from hsm.models.groups import Group
from hsm.models.objects import KeyUse, SecurityObject
from hsm.use import asking, enclosure
from hsm.use.asking import Wanted
from hsm.use.enclosure import Answer
from tests.fixtures.searching import places_of
from tests.fixtures.softhsm import SoftHsm
from tests.hsm.use.conftest import MakeKey

ALICE = Actor(ActorKind.USER, "alice", "1")
DATA = b"pay 1,000,000 to mallory"

RunJobs = Callable[..., list[Job]]
Use = Callable[..., Answer]


def disclosed(row: KeyUse, answer_key: Secret) -> Answer:
    row.refresh_from_db()
    answer = enclosure.disclose(bytes(row.enclosed_output or b""), answer_key, row_id=str(row.pk))
    assert answer is not None
    return answer


@pytest.fixture
def use(run_jobs: RunJobs) -> Use:
    """Ask, run the job, and open the answer as the browser that asked."""

    def use(key: SecurityObject, operation: Operation, scheme: str, data: bytes, signature: bytes = b"") -> Answer:
        row, answer_key = asking.request(key, Wanted(operation, scheme, data, signature), actor=ALICE)
        (job,) = [job for job in run_jobs() if job.kind_name == asking.JOB_KIND]
        assert (job.state, job.error_code) == (State.SUCCEEDED, ""), job.message
        return disclosed(row, answer_key)

    return use


@pytest.mark.parametrize("scheme", [SignatureScheme.ECDSA_SHA256, SignatureScheme.ECDSA_SHA512])
def test_an_ec_key_signs_what_everybody_can_verify(make_real_key: MakeKey, use: Use, scheme: SignatureScheme) -> None:
    key = make_real_key()
    signature = use(key, Operation.SIGN, scheme, DATA).output
    public = serialization.load_der_public_key(bytes(key.spki_der or b""))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    algorithm = hashes.SHA256() if scheme is SignatureScheme.ECDSA_SHA256 else hashes.SHA512()
    public.verify(signature, DATA, ec.ECDSA(algorithm))
    assert use(key, Operation.VERIFY, scheme, DATA, signature) == Answer(valid=True)
    assert use(key, Operation.VERIFY, scheme, DATA + b"!", signature) == Answer(valid=False)


def test_an_rsa_key_signs_and_opens_what_everybody_can_close(make_real_key: MakeKey, use: Use) -> None:
    key = make_real_key(KeySpec.RSA_2048)
    public = serialization.load_der_public_key(bytes(key.spki_der or b""))
    assert isinstance(public, rsa.RSAPublicKey)
    signature = use(key, Operation.SIGN, SignatureScheme.RSA_PKCS1V15_SHA384, DATA).output
    public.verify(signature, DATA, padding.PKCS1v15(), hashes.SHA384())
    pss = use(key, Operation.SIGN, SignatureScheme.RSA_PSS_SHA256, DATA).output
    public.verify(pss, DATA, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), hashes.SHA256())
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - what the scheme says
    closed = public.encrypt(DATA, oaep)
    assert use(key, Operation.DECRYPT, CipherScheme.RSA_OAEP_SHA1, closed).output == DATA
    longest = bytes(214)
    closed = use(key, Operation.ENCRYPT, CipherScheme.RSA_OAEP_SHA1, longest).output
    assert use(key, Operation.DECRYPT, CipherScheme.RSA_OAEP_SHA1, closed).output == longest


@pytest.mark.parametrize("data", [b"\0", DATA, bytes(range(256)) * 16], ids=["one byte", "text", "4 KiB"])
def test_an_aes_key_closes_and_opens(make_real_key: MakeKey, use: Use, data: bytes) -> None:
    key = make_real_key(KeySpec.AES_256)
    closed = use(key, Operation.ENCRYPT, CipherScheme.AES_GCM, data).output
    assert len(closed) == len(data) + 28
    assert use(key, Operation.DECRYPT, CipherScheme.AES_GCM, closed).output == data


def test_an_aes_key_makes_a_code_that_it_verifies(make_real_key: MakeKey, use: Use) -> None:
    key = make_real_key(KeySpec.AES_128)
    code = use(key, Operation.SIGN, MacScheme.AES_CMAC, DATA).output
    assert len(code) == 16
    assert use(key, Operation.VERIFY, MacScheme.AES_CMAC, DATA, code).valid is True
    assert use(key, Operation.VERIFY, MacScheme.AES_CMAC, DATA + b"!", code).valid is False


def test_nothing_of_the_data_is_left_in_clear(
    make_real_key: MakeKey, use: Use, var_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_real_key(KeySpec.AES_256)
    closed = use(key, Operation.ENCRYPT, CipherScheme.AES_GCM, DATA).output
    assert use(key, Operation.DECRYPT, CipherScheme.AES_GCM, closed).output == DATA
    for secret in (DATA, closed):
        assert places_of(secret, var_dir, text=caplog.text) == []
    assert places_of(key.name) != []  # the search finds what is there
    assert set(KeyUse.objects.values_list("sealed_input", flat=True)) == {None}
    job = Job.objects.latest("created_at")
    assert job.result == {"served_by": "pki.db"}
    assert job.message == "Done through pki.db."


def test_the_log_says_who_used_which_key_how(make_real_key: MakeKey, use: Use) -> None:
    key = make_real_key()
    use(key, Operation.SIGN, SignatureScheme.ECDSA_SHA256, DATA)
    entry = Entry.objects.filter(action=Action.KEY_USED).latest("seq")
    assert (entry.actor, entry.subject_id, entry.outcome) == ("alice", str(key.pk), Outcome.SUCCEEDED)
    for said in ('"operation":"sign"', '"scheme":"ecdsa-sha256"', '"through":"pki.db"'):
        assert said in entry.details


@pytest.mark.parametrize(
    ("marks", "code"),
    [
        ({"deactivated_at": clock.now()}, "KEY_DEACTIVATED"),
        ({"rotated_at": clock.now()}, "KEY_ROTATED"),
        ({"operations": ["verify"]}, "NOT_PERMITTED"),
        ({"missing_since": clock.now()}, "KEY_MISSING"),
    ],
)
def test_a_mark_that_was_set_while_the_job_waited_counts(
    make_real_key: MakeKey, run_jobs: RunJobs, marks: dict[str, object], code: str
) -> None:
    key = make_real_key()
    row, _ = asking.request(key, Wanted(Operation.SIGN, SignatureScheme.ECDSA_SHA256, DATA), actor=ALICE)
    SecurityObject.objects.filter(pk=key.pk).update(**marks)
    (job,) = run_jobs()
    assert (job.state, job.error_code) == (State.FAILED, code)
    row.refresh_from_db()
    assert (row.sealed_input, row.enclosed_output) == (None, None)
    entry = Entry.objects.filter(action=Action.KEY_USED).latest("seq")
    assert entry.outcome == Outcome.REFUSED
    assert code in entry.details


def test_what_the_device_refuses_is_said_and_nothing_is_answered(make_real_key: MakeKey, run_jobs: RunJobs) -> None:
    key = make_real_key(KeySpec.AES_256)
    row, _ = asking.request(key, Wanted(Operation.DECRYPT, CipherScheme.AES_GCM, bytes(64)), actor=ALICE)
    (job,) = run_jobs()
    assert (job.state, job.error_code) == (State.FAILED, "CKR_ENCRYPTED_DATA_INVALID")
    row.refresh_from_db()
    assert (row.sealed_input, row.enclosed_output) == (None, None)
    entry = Entry.objects.filter(action=Action.KEY_USED).latest("seq")
    assert (entry.outcome, "CKR_ENCRYPTED_DATA_INVALID" in entry.details) == (Outcome.FAILED, True)


def test_a_use_that_waited_too_long_is_not_done(
    make_real_key: MakeKey, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, _ = asking.request(make_real_key(), Wanted(Operation.SIGN, SignatureScheme.ECDSA_SHA256, DATA), actor=ALICE)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=11))
    (job,) = run_jobs()
    assert job.state == State.FAILED
    assert "ten minutes" in job.message
    row.refresh_from_db()
    assert row.enclosed_output is None


def test_the_connection_that_served_is_named(
    softhsm: SoftHsm, module_group: Callable[..., Group], make_real_key: MakeKey, use: Use
) -> None:
    group = module_group(softhsm.token("luna-prod"))
    key = make_real_key(KeySpec.EC_P256, group=group)
    signature = use(key, Operation.SIGN, SignatureScheme.ECDSA_SHA256, DATA).output
    public = serialization.load_der_public_key(bytes(key.spki_der or b""))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, DATA, ec.ECDSA(hashes.SHA256()))
    job = Job.objects.latest("created_at")
    assert "libsofthsm2.so" in job.result["served_by"]
