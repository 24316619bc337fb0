"""A group of two real gateways before one token, while the first is killed, frozen, cut off, or its HSM fails.

The first gateway has the module that misbehaves on order, and a relay before it; the second one is healthy.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hsm.device import spki
from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import DeviceError
from hsm.device.failover import Health
from hsm.device.gatewaycalls import close_links
from hsm.device.group import GroupDevice
from hsm.device.objects import KeyFamily, Operation
from tests.fixtures.gateway import Gateways
from tests.hsm.device.conftest import folder
from tests.hsm.device.relay import Relay, relay_to
from tests.hsm.device.sites import Site
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.hsm.device.waiting import wait_until
from tests.shim.faulty import FaultyModule

PAIR = KeyFamily.KEY_PAIR
SIGNS = frozenset({Operation.SIGN, Operation.VERIFY})
SCHEME = SignatureScheme.ECDSA_SHA256
DIGEST = hashlib.sha256(b"data").digest()
DEADLINE_S = 3.0  # of the first connection; the second one may take what the machine needs


class Clock:
    """A clock whose pauses the test skips."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


@dataclass
class Two:
    """The group, and what can be done to its first connection."""

    first: Site
    second: Site
    relay: Relay
    module: FaultyModule
    clock: Clock = field(default_factory=Clock)
    events: list[tuple[str, str]] = field(default_factory=list)

    def group(self) -> GroupDevice:
        return GroupDevice(
            [self.first.member("first", self.relay.port, DEADLINE_S), self.second.member("second")],
            on_event=lambda name, error, _ms: self.events.append((name, error.code if error else "")),
            health=Health(self.clock),
        )

    def heal(self) -> None:
        """Take every fault back."""
        self.module.behave()
        self.relay.mend()
        self.first.gateway.thaw()
        if self.first.gateway.has_ended:
            self.first.gateway.start()

    def objects(self, key_id: bytes) -> int:
        """Count the private keys of an id, as another program sees them."""
        return self.second.farm.private_keys(self.second.token).count(key_id.hex())


@pytest.fixture(scope="module")
def standing(shared_farm: TokenFarm, faulty_library: Path) -> Iterator[Two]:
    with folder() as place, Gateways(place / "gateways") as gateways:
        module = FaultyModule(faulty_library, place, SOFTHSM)
        second = Site.make(shared_farm, gateways, "failover")
        first = second.beside(str(faulty_library), module.environment)
        with relay_to(first.gateway.port) as relay:
            yield Two(first, second, relay, module)


@pytest.fixture
def two(standing: Two) -> Iterator[Two]:
    """Give the two in good health, the first one warm: a gateway starts its module host at the first request."""
    close_links()
    standing.events.clear()
    wait_until(lambda: _serves(standing), 60)
    yield standing
    standing.heal()


def _serves(two: Two) -> bool:
    try:
        two.first.device(two.relay.port).probe()
        two.second.device().probe()
    except DeviceError:
        return False
    return True


FAULTS: dict[str, tuple[Callable[[Two], None], str]] = {
    "killed": (lambda two: two.first.gateway.kill(), "GATEWAY_"),  # refused behind the relay: lost or no TLS
    "frozen": (lambda two: two.first.gateway.freeze(), "GATEWAY_DEADLINE"),
    "cut off": (lambda two: two.relay.cut(), "GATEWAY_DEADLINE"),
    "CKR_DEVICE_ERROR": (lambda two: two.module.order("C_Sign before return 0x30"), "CKR_DEVICE_ERROR"),
    "crashing module": (lambda two: two.module.order("C_Sign before crash"), "MODULE_CRASHED"),
    "hanging module": (lambda two: two.module.order("C_Sign before hang"), "DEADLINE"),
}


@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS)
def test_operations_go_on_and_the_first_connection_takes_over_again(
    two: Two, fault: Callable[[Two], None], code: str
) -> None:  # GRP-27
    key_id = secrets.token_bytes(16)
    with two.group() as group:
        key = spki.load(group.generate_key_pair(key_id, KeySpec.EC_P256, "k"))
        assert group.served_by == "first"
        two.events.clear()
        fault(two)
        began = time.monotonic()
        assert spki.verifies(key, group.sign(key_id, DIGEST, SCHEME), DIGEST, SCHEME)
        assert time.monotonic() - began < DEADLINE_S + 10
        assert group.served_by == "second"
        (name, seen), *others = two.events
        assert (name, seen.startswith(code), others) == ("first", True, [("second", "")])
        group.sign(key_id, DIGEST, SCHEME)  # the first one is left alone now
        assert two.events[2:] == [("second", "")]
        two.heal()
        wait_until(lambda: _serves(two), 60)
        two.clock.skipped += 61
        assert spki.verifies(key, group.sign(key_id, DIGEST, SCHEME), DIGEST, SCHEME)
        assert group.served_by == "first"


CREATIONS: dict[str, Callable[[Two], None]] = {
    "killed": FAULTS["killed"][0],
    "frozen": FAULTS["frozen"][0],
    "cut off": FAULTS["cut off"][0],
    "error before": lambda two: two.module.order("C_GenerateKeyPair before return 0x30"),
    "error after": lambda two: two.module.order("C_GenerateKeyPair after return 0x30"),
    "crash before": lambda two: two.module.order("C_GenerateKeyPair before crash"),
    "crash after": lambda two: two.module.order("C_GenerateKeyPair after crash"),
    "hang before": lambda two: two.module.order("C_GenerateKeyPair before hang"),
    "hang after": lambda two: two.module.order("C_GenerateKeyPair after hang"),
}


@pytest.mark.parametrize("fault", CREATIONS.values(), ids=CREATIONS)
def test_a_creation_happens_once_or_is_known_to_be_unknown(two: Two, fault: Callable[[Two], None]) -> None:
    """Whatever befalls the first gateway: never two keys, and never one that the console does not hear of."""
    key_id = secrets.token_bytes(16)
    with two.group() as group:
        fault(two)
        unknown = False
        try:
            made = group.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
            assert made == two.second.device().read(PAIR, key_id)
        except DeviceError as error:
            if not error.outcome_unknown:
                raise
            unknown = True
        two.heal()
        wait_until(lambda: _serves(two), 60)
        # What the reconciler does: look again, once the gateway is back and has had its say.
        found = two.first.device().read(PAIR, key_id)
        assert two.objects(key_id) == (1 if found is not None else 0)
        assert unknown or found is not None
        if found is not None:
            group.remove(PAIR, key_id, found.spki_der)
            assert two.objects(key_id) == 0


IMPORTS = ("before crash", "after crash", "before return 0x30", "after return 0x30")


@pytest.mark.parametrize("order", IMPORTS)
def test_an_import_happens_once_or_is_known_to_be_unknown(two: Two, order: str) -> None:
    """A pair is two objects: what is left of a half-made one is seen, and goes when it is removed."""
    key_id, key = secrets.token_bytes(16), ec.generate_private_key(ec.SECP256R1())
    material = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with two.group() as group:
        two.module.order(f"C_CreateObject {order}")
        unknown = False
        try:
            group.import_key(key_id, KeySpec.EC_P256, "k", SIGNS, Pin(material))
        except DeviceError as error:
            if not error.outcome_unknown:
                raise
            unknown = True
        two.heal()
        found = two.second.device().read(PAIR, key_id)
        assert two.objects(key_id) == (1 if found is not None and found.has_private else 0)
        assert unknown or (
            found is not None and found.has_private and found.spki_der == spki.spki_der(key.public_key())
        )
        group.remove(PAIR, key_id, None)
        assert group.read(PAIR, key_id) is None


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_removal_is_finished_by_the_next_connection(two: Two, moment: str) -> None:
    key_id = secrets.token_bytes(16)
    with two.group() as group:
        made = group.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
        two.module.order(f"C_DestroyObject {moment} crash")
        group.remove(PAIR, key_id, made.spki_der)
        assert group.served_by == "second"
        assert two.objects(key_id) == 0
        assert group.read(PAIR, key_id) is None


def test_a_refused_operation_is_not_asked_for_elsewhere(two: Two) -> None:
    with two.group() as group:
        with pytest.raises(DeviceError) as caught:
            group.sign(secrets.token_bytes(16), DIGEST, SCHEME)
        assert (caught.value.code, group.served_by) == ("KEY_MISSING", "first")


def test_both_show_the_same_listing(two: Two) -> None:
    key_id = secrets.token_bytes(16)
    two.first.device().generate(key_id, KeySpec.EC_P256, "listed", SIGNS)
    listing = two.first.device().read_all()
    assert key_id in {record.key_id for record in listing.objects}
    again = two.second.device().read_all(listing.digest)
    assert (again.unchanged, again.digest) == (True, listing.digest)


def test_nothing_is_lost_while_gateways_are_killed_and_revived_in_turn(two: Two) -> None:
    key_id, ids = secrets.token_bytes(16), []
    with two.group() as group:
        key = spki.load(group.generate_key_pair(key_id, KeySpec.EC_P256, "k"))
        for turn in range(2):
            victim = (two.first, two.second)[turn].gateway
            for number in range(12):
                if number == 4:
                    victim.kill()
                assert spki.verifies(key, group.sign(key_id, DIGEST, SCHEME), DIGEST, SCHEME)
                ids.append(_made(group))
            victim.start()
            two.clock.skipped += 61
        for made in ids:
            assert group.read(PAIR, made) is not None
            assert two.objects(made) == 1


def _made(group: GroupDevice) -> bytes:
    """Make a key, and look for it when the outcome is unknown, as the reconciler does."""
    key_id = secrets.token_bytes(16)
    try:
        group.generate(key_id, KeySpec.EC_P256, "k", SIGNS)
    except DeviceError as error:
        if not error.outcome_unknown:
            raise
        if group.read(PAIR, key_id) is None:
            return _made(group)
    return key_id
