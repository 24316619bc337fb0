"""Who serves, who takes over, and what is never done twice. The members share one key store, as gateways an HSM."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.codes import CODES, error_for
from hsm.device.envelopes import SealingOpener
from hsm.device.errors import DeviceError, KeyExistsError, KeyMissingError, PinError
from hsm.device.failover import Health
from hsm.device.group import GroupDevice, Member
from hsm.device.local import LocalStore
from hsm.device.objects import KeyFamily, ObjectDevice, Operation
from tests.hsm.device.conftest import folder

PAIR = KeyFamily.KEY_PAIR
SIGNS = frozenset({Operation.SIGN, Operation.VERIFY})
SCHEME = SignatureScheme.ECDSA_SHA256


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wrapped:
    """A real device, with a fault before or after every call, or after those of one name."""

    def __init__(self, device: ObjectDevice) -> None:
        self._device = device
        self.calls: list[str] = []
        self.before: DeviceError | None = None
        self.after: DeviceError | None = None
        self.only = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            self.calls.append(name)
            faulty = not self.only or name == self.only
            if self.before is not None and faulty:
                raise self.before
            outcome = getattr(self._device, name)(*arguments)
            if self.after is not None and faulty:
                raise self.after
            return outcome

        return call


class Pair:
    """A group of two members."""

    def __init__(self, device: ObjectDevice) -> None:
        self.device = device
        self.clock = Clock()
        self.health = Health(self.clock)
        self.first, self.second = Wrapped(device), Wrapped(device)
        self.events: list[tuple[str, str]] = []
        self.open = 0
        self.group = GroupDevice(
            [self.member("first", self.first), self.member("second", self.second)],
            on_event=lambda name, error, _ms: self.events.append((name, error.code if error else "")),
            health=self.health,
        )

    def member(self, name: str, wrapped: Wrapped) -> Member:
        @contextmanager
        def opened() -> Iterator[ObjectDevice]:
            self.open += 1
            yield cast("ObjectDevice", wrapped)
            self.open -= 1

        return Member(name, opened, (name, "pin 1"))

    def make_key(self) -> bytes:
        key_id = secrets.token_bytes(16)
        self.device.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
        return key_id


@pytest.fixture(scope="module")
def store() -> Iterator[LocalStore]:
    with folder() as place:
        yield LocalStore.create(Path(place) / "pki.db", SealingOpener(lambda: Pin(bytes(32))))


@pytest.fixture
def pair(store: LocalStore) -> Pair:
    return Pair(cast("ObjectDevice", store.device()))


# Who serves


def test_the_first_member_serves(pair: Pair) -> None:  # GRP-27
    key_id = pair.make_key()
    assert pair.group.find(key_id) is not None
    assert pair.group.served_by == "first"
    assert pair.events == [("first", "")]
    assert pair.second.calls == []


def test_the_next_one_takes_over_and_the_first_one_rests(pair: Pair) -> None:  # GRP-27
    key_id = pair.make_key()
    pair.first.before = error_for("CKR_DEVICE_ERROR")
    for _ in range(3):
        assert len(pair.group.sign(key_id, bytes(32), SCHEME)) > 60
        assert pair.group.served_by == "second"
    assert pair.first.calls == ["sign"]
    assert pair.events[:2] == [("first", "CKR_DEVICE_ERROR"), ("second", "")]


def test_the_first_one_takes_over_again_after_a_good_probe(pair: Pair) -> None:
    pair.first.before = error_for("GATEWAY_REFUSED")
    pair.group.token()
    pair.clock.now += 6
    pair.group.token()  # asked for proof, and still dead
    assert pair.group.served_by == "second"
    pair.first.before = None
    pair.clock.now += 6
    pair.group.token()  # the pause has grown: not asked yet
    assert pair.group.served_by == "second"
    pair.clock.now += 6
    pair.group.token()
    assert pair.group.served_by == "first"
    assert pair.first.calls == ["token", "probe", "probe", "token"]


def test_proof_is_asked_for_by_a_short_way_while_others_serve(pair: Pair) -> None:
    short, opened = Wrapped(pair.device), pair.member("first", pair.first)
    first = replace(opened, prove=lambda: nullcontext(cast("ObjectDevice", short)))
    group = GroupDevice([first, pair.member("second", pair.second)], health=pair.health)
    pair.first.before = short.before = error_for("GATEWAY_DEADLINE")
    group.token()
    pair.clock.now += 6
    group.token()
    assert (pair.first.calls, short.calls, group.served_by) == (["token"], ["probe"], "second")
    pair.second.before = error_for("GATEWAY_REFUSED")
    pair.first.before = None
    group.token()  # nobody else is left: the first one gets its full time
    assert (pair.first.calls, short.calls, group.served_by) == (["token", "probe", "token"], ["probe"], "first")


def test_a_member_that_answers_probes_only_does_not_stop_the_others(pair: Pair) -> None:
    key_id = pair.make_key()
    pair.first.before, pair.first.only = error_for("CKR_DEVICE_ERROR"), "sign"
    for _ in range(3):
        pair.group.sign(key_id, bytes(32), SCHEME)
        assert pair.group.served_by == "second"
        pair.clock.now += 61


def test_when_all_rest_one_that_proves_itself_serves_at_once(pair: Pair) -> None:
    pair.first.before = pair.second.before = error_for("GATEWAY_REFUSED")
    with pytest.raises(DeviceError):
        pair.group.token()
    pair.second.before = None
    pair.group.token()
    assert pair.group.served_by == "second"


def test_a_refused_operation_is_not_asked_for_elsewhere(pair: Pair) -> None:
    with pytest.raises(KeyMissingError):
        pair.group.sign(secrets.token_bytes(16), bytes(32), SCHEME)
    assert (pair.group.served_by, pair.second.calls) == ("first", [])
    assert not pair.health.rests(("first", "pin 1"))


def test_what_this_side_refuses_says_nothing_about_a_connection(pair: Pair) -> None:
    with pytest.raises(DeviceError):
        pair.group.find(b"short")
    assert pair.events == []


def test_a_refused_pin_is_never_tried_again(pair: Pair) -> None:
    pair.first.before = error_for("CKR_PIN_INCORRECT")
    pair.group.token()
    pair.second.before = error_for("CKR_DEVICE_ERROR")
    for _ in range(3):
        pair.clock.now += 1000
        with pytest.raises(DeviceError) as caught:
            pair.group.token()
        assert caught.value.code == "NO_CONNECTION"
        assert "PIN" in caught.value.message  # of the first one
    assert pair.first.calls == ["token"]


def test_no_connection_names_the_fault_of_each(pair: Pair) -> None:
    pair.first.before, pair.second.before = error_for("GATEWAY_REFUSED"), error_for("GATEWAY_NAME")
    with pytest.raises(DeviceError) as caught:
        pair.group.token()
    assert caught.value.code == "NO_CONNECTION"
    for name, code in (("first", "GATEWAY_REFUSED"), ("second", "GATEWAY_NAME")):
        assert f"{name}: {CODES[code].sentence}" in caught.value.message


def test_the_only_member_speaks_for_itself(pair: Pair) -> None:
    pair.first.before = error_for("GATEWAY_TLS_EXPIRED")
    alone = GroupDevice([pair.member("first", pair.first)], health=pair.health)
    for _ in range(2):
        with pytest.raises(DeviceError) as caught:
            alone.token()
        assert caught.value.code == "GATEWAY_TLS_EXPIRED"


def test_a_group_without_members() -> None:
    with pytest.raises(DeviceError) as caught:
        GroupDevice([]).token()
    assert caught.value.code == "NO_CONNECTION"


def test_a_member_that_cannot_be_opened_is_passed_over(pair: Pair) -> None:
    def refuses() -> AbstractContextManager[ObjectDevice]:
        raise error_for("PIN_REJECTED_BEFORE")

    group = GroupDevice([Member("closed", refuses, "closed"), pair.member("second", pair.second)], health=pair.health)
    group.token()
    assert group.served_by == "second"


def test_members_are_opened_when_needed_and_closed_at_the_end(pair: Pair) -> None:
    with pair.group:
        assert pair.open == 0
        pair.group.token()
        pair.group.probe()
        assert pair.open == 1
        pair.first.before = error_for("CKR_DEVICE_ERROR")
        pair.group.token()
        assert pair.open == 2
    assert pair.open == 0


# What is never done twice


def generate(pair: Pair, key_id: bytes) -> None:
    pair.group.generate(key_id, KeySpec.EC_P256, "k", SIGNS)


def make_pair(pair: Pair, key_id: bytes) -> None:
    pair.group.generate_key_pair(key_id, KeySpec.EC_P256, "k")


def bring_in(pair: Pair, key_id: bytes) -> None:
    pair.group.import_key(key_id, KeySpec.AES_128, "k", frozenset({Operation.ENCRYPT}), Pin(secrets.token_bytes(16)))


Create = Callable[[Pair, bytes], None]
LOOK: dict[Create, str] = {generate: "read", make_pair: "find", bring_in: "read"}
NAME: dict[Create, str] = {generate: "generate", make_pair: "generate_key_pair", bring_in: "import_key"}
creations = pytest.mark.parametrize("create", NAME, ids=NAME.values())


def is_there(pair: Pair, key_id: bytes) -> bool:
    found = (pair.device.find(key_id), pair.device.read(PAIR, key_id), pair.device.read(KeyFamily.SECRET_KEY, key_id))
    return any(found)


@creations
def test_a_creation_that_did_not_happen_happens_elsewhere_after_a_look(
    pair: Pair, key_id: bytes, create: Create
) -> None:
    pair.first.before = error_for("GATEWAY_REFUSED")
    create(pair, key_id)
    assert pair.second.calls == [LOOK[create], NAME[create]]
    assert is_there(pair, key_id)


@creations
def test_a_creation_of_unknown_outcome_that_happened_is_accepted(pair: Pair, key_id: bytes, create: Create) -> None:
    pair.first.after = error_for("GATEWAY_DEADLINE", outcome_unknown=True)
    create(pair, key_id)
    assert (pair.first.calls, pair.second.calls) == ([NAME[create]], [LOOK[create]])
    assert is_there(pair, key_id)
    assert pair.group.served_by == "second"


@creations
def test_a_creation_of_unknown_outcome_that_did_not_happen_yet_is_not_repeated(
    pair: Pair, key_id: bytes, create: Create
) -> None:
    pair.first.before = error_for("GATEWAY_DEADLINE", outcome_unknown=True)
    with pytest.raises(DeviceError) as caught:
        create(pair, key_id)
    assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_DEADLINE", True)
    assert pair.second.calls == [LOOK[create]]
    assert not is_there(pair, key_id)


@creations
def test_a_creation_of_unknown_outcome_stays_unknown_when_nobody_can_look(
    pair: Pair, key_id: bytes, create: Create
) -> None:
    pair.first.before = error_for("GATEWAY_LOST", outcome_unknown=True)
    pair.second.before = error_for("GATEWAY_REFUSED")
    with pytest.raises(DeviceError) as caught:
        create(pair, key_id)
    assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_LOST", True)
    assert pair.second.calls == [LOOK[create]]


def test_another_key_is_not_taken_for_the_one_that_was_asked_for(pair: Pair, key_id: bytes) -> None:
    pair.device.generate(key_id, KeySpec.EC_P384, "another", SIGNS)
    pair.first.before = error_for("GATEWAY_LOST", outcome_unknown=True)
    with pytest.raises(DeviceError) as caught:
        generate(pair, key_id)
    assert caught.value.outcome_unknown


def test_a_key_that_was_there_before_is_refused_with_its_record(pair: Pair, key_id: bytes) -> None:
    there = pair.device.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
    pair.first.before = error_for("GATEWAY_REFUSED")
    with pytest.raises(KeyExistsError) as caught:
        generate(pair, key_id)
    assert (caught.value.record, caught.value.outcome_unknown) == (there, False)
    assert pair.second.calls == ["read"]


def test_a_refused_creation_is_refused(pair: Pair, key_id: bytes) -> None:
    pair.device.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
    with pytest.raises(KeyExistsError):
        generate(pair, key_id)
    assert pair.second.calls == []


def test_a_wrong_pin_does_not_create(pair: Pair, key_id: bytes) -> None:
    pair.first.before = pair.second.before = error_for("CKR_PIN_INCORRECT")
    with pytest.raises(DeviceError):
        generate(pair, key_id)
    assert isinstance(pair.health.refusal(("second", "pin 1")), PinError)


@pytest.mark.parametrize("act", ["destroy", "remove", "remove_private", "permit"])
def test_what_may_be_done_twice_is(pair: Pair, act: str) -> None:
    """The first member does it, and dies before it says so."""
    key_id = pair.make_key()
    pair.first.after = error_for("GATEWAY_LOST")
    if act == "destroy":
        pair.group.destroy(key_id)
    elif act == "remove":
        pair.group.remove(PAIR, key_id, None)
    elif act == "remove_private":
        pair.group.remove_private(key_id)
    else:
        pair.group.permit(PAIR, key_id, frozenset({Operation.SIGN}))
    assert (pair.first.calls, pair.second.calls) == ([act], [act])
    record = pair.device.read(PAIR, key_id)
    if act in ("destroy", "remove"):
        assert record is None
    else:
        assert record is not None
        assert record.has_private is (act == "permit")
        assert record.operations == frozenset({Operation.SIGN}) or act == "remove_private"
