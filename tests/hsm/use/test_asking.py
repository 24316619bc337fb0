"""Asking for a use: what is refused before anything is queued, and what the database then holds."""

from datetime import timedelta

import pytest

from console.activity.models import Entry, Outcome
from console.jobs import queue
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor, ActorKind
from console.lib.errors import InvalidError, RefusedError
from console.lib.opening import worker_pair
from hsm.actions import Action
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.objects import CipherScheme, MacScheme, Operation
from hsm.models.objects import KeyUse
from hsm.use import asking, enclosure
from hsm.use.asking import Wanted
from tests.hsm.use.conftest import MakeKey

ALICE = Actor(ActorKind.USER, "alice", "1")
DATA = b"pay 1,000,000 to mallory"
SIGN = Wanted(Operation.SIGN, SignatureScheme.ECDSA_SHA256, DATA)


def test_the_row_holds_the_question_for_the_worker_only(make_key: MakeKey) -> None:
    key = make_key()
    use, answer_key = asking.request(key, SIGN, actor=ALICE)
    assert use.sealed_input is not None
    assert DATA not in bytes(use.sealed_input)
    assert answer_key.reveal_bytes() not in bytes(use.sealed_input)
    question = enclosure.unpack(worker_pair().open(bytes(use.sealed_input), purpose="key-use", row_id=str(use.pk)))
    assert (question.data, question.answer_key) == (DATA, answer_key.reveal_bytes())
    assert use.enclosed_output is None
    assert use.expires_at - use.created_at == timedelta(minutes=10)


def test_job_and_log_say_what_is_asked_and_nothing_of_the_data(make_key: MakeKey) -> None:
    key = make_key()
    use, answer_key = asking.request(key, SIGN, actor=ALICE)
    assert use.job.params == {"use": str(use.pk)}
    assert use.job.subject == key.subject
    entry = Entry.objects.latest("seq")
    assert (entry.action, entry.outcome) == (Action.KEY_USE_REQUESTED, Outcome.REQUESTED)
    for said in ("sign", "ecdsa-sha256", str(use.job_id)):
        assert said in entry.details
    for secret in (DATA.decode(), DATA.hex(), answer_key.reveal_bytes().hex()):
        assert secret not in entry.details + str(use.job.params) + str(use.job.result) + repr(SIGN)


def test_what_may_not_be_done_is_refused_and_recorded(make_key: MakeKey) -> None:
    key = make_key(operations=["verify"])
    with pytest.raises(RefusedError, match="not permitted to sign"):
        asking.request(key, SIGN, actor=ALICE)
    entry = Entry.objects.latest("seq")
    assert (entry.action, entry.outcome) == (Action.KEY_USED, Outcome.REFUSED)
    assert "NOT_PERMITTED" in entry.details
    assert not Job.objects.exists()
    assert not KeyUse.objects.exists()


@pytest.mark.parametrize(
    ("spec", "wanted", "field"),
    [
        (KeySpec.EC_P256, Wanted(Operation.SIGN, MacScheme.AES_CMAC, DATA), "scheme"),
        (KeySpec.EC_P256, Wanted(Operation.SIGN, "none-such", DATA), "scheme"),
        (KeySpec.AES_128, Wanted(Operation.ENCRYPT, MacScheme.AES_CMAC, DATA), "scheme"),
        (KeySpec.EC_P256, Wanted(Operation.SIGN, SignatureScheme.ECDSA_SHA256, b""), "content"),
        (KeySpec.EC_P256, Wanted(Operation.SIGN, SignatureScheme.ECDSA_SHA256, bytes(4097)), "content"),
        (KeySpec.RSA_2048, Wanted(Operation.ENCRYPT, CipherScheme.RSA_OAEP_SHA1, bytes(215)), "content"),
        (KeySpec.RSA_2048, Wanted(Operation.DECRYPT, CipherScheme.RSA_OAEP_SHA1, bytes(255)), "content"),
        (KeySpec.AES_256, Wanted(Operation.DECRYPT, CipherScheme.AES_GCM, bytes(27)), "content"),
        (KeySpec.EC_P256, Wanted(Operation.VERIFY, SignatureScheme.ECDSA_SHA256, DATA), "signature"),
    ],
)
def test_what_the_scheme_cannot_take_is_said_beside_its_field(
    make_key: MakeKey, spec: KeySpec, wanted: Wanted, field: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        asking.request(make_key(spec), wanted, actor=ALICE)
    assert caught.value.field == field
    assert not KeyUse.objects.exists()


def test_the_limits_name_themselves(make_key: MakeKey) -> None:
    rsa = make_key(KeySpec.RSA_2048)
    for operation, length, said in (
        (Operation.ENCRYPT, 215, "At most 214 bytes"),
        (Operation.DECRYPT, 10, "exactly 256 bytes"),
    ):
        with pytest.raises(InvalidError, match=said):
            asking.request(rsa, Wanted(operation, CipherScheme.RSA_OAEP_SHA1, bytes(length)), actor=ALICE)


def test_a_key_of_an_unknown_kind_has_no_scheme(make_key: MakeKey) -> None:
    key = make_key()
    key.spec = ""
    with pytest.raises(InvalidError, match="no such scheme"):
        asking.request(key, SIGN, actor=ALICE)


def test_a_cancelled_job_forgets_the_question(make_key: MakeKey) -> None:
    use, _ = asking.request(make_key(), SIGN, actor=ALICE)
    queue.cancel(use.job, actor=ALICE)
    use.refresh_from_db()
    assert use.sealed_input is None


def test_uses_are_deleted_when_their_time_is_over(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    asking.request(make_key(), SIGN, actor=ALICE)
    assert asking.delete_expired() == 0
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=11))
    assert asking.delete_expired() == 1
    assert not KeyUse.objects.exists()
    assert Job.objects.filter(kind_name=asking.JOB_KIND).count() == 1  # the job stays, and holds no data
