"""Security objects on modules that hang, crash or fail at the wrong moment: nothing half made, changed or listed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import DeadlineError, DeviceError, ErrorClass, HostLostError, KeyExistsError
from hsm.device.objects import CipherScheme, KeyFamily, MacScheme, ObjectRecord, Operation
from hsm.device.opening import keep_token, probe_token
from hsm.device.pool import pool
from hsm.device.token import TokenDevice
from tests.hsm.device.tokens import Token, TokenFarm
from tests.hsm.device.waiting import wait_until
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")

DEADLINE_S = 3.0
PAIR, SECRET = KeyFamily.KEY_PAIR, KeyFamily.SECRET_KEY
SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})
ECDSA = SignatureScheme.ECDSA_SHA256
_T = TypeVar("_T")


@pytest.fixture
def token(farm: TokenFarm) -> Token:
    return farm.make("alpha")


@pytest.fixture
def environment(farm: TokenFarm, module: FaultyModule) -> dict[str, str]:
    return {**farm.environment, **module.environment}


class Keeper:
    """Gives each act a block and a deadline of its own, as the gateway does."""

    def __init__(self, module: FaultyModule, token: Token, environment: dict[str, str]) -> None:
        self.module = module
        self.token = token
        self.environment = environment

    def __call__(self, act: Callable[[TokenDevice], _T], deadline_s: float = 60) -> _T:
        """Act on the token."""
        with keep_token(
            str(self.module.path),
            label=self.token.label,
            serial=self.token.serial,
            pin=Pin(self.token.pin),
            pin_version="1",
            deadline_s=deadline_s,
            environment=self.environment,
        ) as device:
            return act(device)

    def failing(self, order: str, act: Callable[[TokenDevice], object]) -> DeviceError:
        """Act under an order and return the error; the module behaves afterwards."""
        self.module.forget_calls()
        self.module.order(order)
        try:
            with pytest.raises(DeviceError) as caught:
                self(act, DEADLINE_S if "hang" in order else 60)
        finally:
            self.module.behave()
        pool.breaker.worked(pool.seats()[0].key.watched)  # the breaker has tests of its own
        return caught.value


@pytest.fixture
def kept(module: FaultyModule, token: Token, environment: dict[str, str]) -> Iterator[Keeper]:
    keeper = Keeper(module, token, environment)
    keeper(lambda device: device.token())  # logged in before any order
    yield keeper
    module.behave()


def material() -> Pin:
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    return Pin(key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain))


def making(key_id: bytes, spec: KeySpec) -> Callable[[TokenDevice], ObjectRecord]:
    return lambda device: device.generate(key_id, spec, "k", SIGNING)


def importing(key_id: bytes) -> Callable[[TokenDevice], ObjectRecord]:
    given = material()
    return lambda device: device.import_key(key_id, KeySpec.EC_P256, "k", SIGNING, given)


# Generating

FUNCTIONS = [(KeySpec.EC_P256, PAIR, "C_GenerateKeyPair"), (KeySpec.AES_128, SECRET, "C_GenerateKey")]


@pytest.mark.parametrize(
    ("spec", "family", "function", "action", "error"),
    [
        (*FUNCTIONS[0], "hang", DeadlineError),
        (*FUNCTIONS[0], "crash", HostLostError),
        (*FUNCTIONS[1], "crash", HostLostError),
    ],
)
def test_lost_around_the_making_of_a_key(
    kept: Keeper, key_id: bytes, spec: KeySpec, family: KeyFamily, function: str, action: str, error: type[DeviceError]
) -> None:
    before = kept.failing(f"{function} before {action}", making(key_id, spec))
    assert isinstance(before, error)
    assert before.outcome_unknown
    assert kept(lambda device: device.read(family, key_id)) is None
    after = kept.failing(f"{function} after {action}", making(key_id, spec))
    assert after.outcome_unknown
    found = kept(lambda device: device.read(family, key_id))
    assert found is not None
    with pytest.raises(KeyExistsError) as caught:
        kept(making(key_id, spec))
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("spec", "family", "function", "value"),
    [(*FUNCTIONS[0], "0x30"), (*FUNCTIONS[0], "0xD1"), (*FUNCTIONS[1], "0x05")],
)
def test_an_error_says_whether_the_key_was_made(
    kept: Keeper, key_id: bytes, spec: KeySpec, family: KeyFamily, function: str, value: str
) -> None:
    assert not kept.failing(f"{function} before return {value}", making(key_id, spec)).outcome_unknown
    assert kept(lambda device: device.read(family, key_id)) is None
    assert kept.failing(f"{function} after return {value}", making(key_id, spec)).outcome_unknown
    assert kept(lambda device: device.read(family, key_id)) is not None


def test_a_key_that_cannot_be_read_back_leaves_the_outcome_open(
    kept: Keeper, module: FaultyModule, key_id: bytes
) -> None:
    module.forget_calls()
    kept(making(b"other" * 4, KeySpec.AES_128))
    reads = module.calls().count("C_GetAttributeValue")
    error = kept.failing(f"C_GetAttributeValue#{reads} before return 0x30", making(key_id, KeySpec.AES_128))
    assert (error.code, error.outcome_unknown) == ("CKR_DEVICE_ERROR", True)
    assert kept(lambda device: device.read(SECRET, key_id)) is not None


def test_a_pair_that_could_leave_the_token_is_not_kept(kept: Keeper, key_id: bytes) -> None:
    error = kept.failing("C_GenerateKeyPair before expose", making(key_id, KeySpec.EC_P256))
    assert (error.code, error.outcome_unknown) == ("KEY_NOT_PROTECTED", False)
    assert kept(lambda device: device.read(PAIR, key_id)) is None


def test_a_lost_session_is_replaced_once(kept: Keeper, module: FaultyModule, key_id: bytes) -> None:
    module.order("C_GenerateKey before return 0xB3 once")
    assert kept(making(key_id, KeySpec.AES_128))


# Importing


@pytest.mark.parametrize(
    ("call", "moment", "action", "error"),
    [
        (1, "before", "crash", HostLostError),
        (1, "after", "crash", HostLostError),
        (2, "before", "hang", DeadlineError),
        (2, "after", "crash", HostLostError),
    ],
)
def test_lost_in_the_middle_of_an_import(
    kept: Keeper, key_id: bytes, call: int, moment: str, action: str, error: type[DeviceError]
) -> None:
    lost = kept.failing(f"C_CreateObject#{call} {moment} {action}", importing(key_id))
    assert isinstance(lost, error)
    assert lost.outcome_unknown
    left = kept(lambda device: device.read(PAIR, key_id))
    halves = 2 * (call - 1) + 2 * (moment == "after")
    assert (left and left.has_private) == {0: None, 2: False, 4: True}[halves]  # never a private half that is not whole
    kept(lambda device: device.remove(PAIR, key_id, None))
    kept(importing(key_id))


@pytest.mark.parametrize(
    ("call", "moment", "value"),
    [(1, "before", "0x13"), (1, "after", "0x05"), (2, "before", "0xD1"), (2, "after", "0x30")],
)
def test_a_refused_import_leaves_nothing(kept: Keeper, key_id: bytes, call: int, moment: str, value: str) -> None:
    error = kept.failing(f"C_CreateObject#{call} {moment} return {value}", importing(key_id))
    assert not error.outcome_unknown
    listing = kept(lambda device: device.read_all())
    assert (listing.objects, listing.unmatched) == ([], [])


def test_an_import_that_cannot_be_cleaned_up_is_unknown(
    kept: Keeper, module: FaultyModule, farm: TokenFarm, token: Token, key_id: bytes
) -> None:
    # The token goes away while the second half is being made.
    module.order("C_CreateObject#2 before wait")
    module.forget_calls()
    with ThreadPoolExecutor(1) as threads:
        failing = threads.submit(kept, importing(key_id))
        wait_until(lambda: module.calls().count("C_CreateObject") == 2)
        farm.remove(token)
        module.behave()
        error = failing.exception()
    assert isinstance(error, DeviceError)
    assert error.outcome_unknown


# Changing and destroying


@pytest.mark.parametrize(("moment", "value"), [("before", "0x10"), ("before", "0x30"), ("after", "0x1B")])
def test_permissions_that_are_refused_stay_as_they_were(
    kept: Keeper, key_id: bytes, moment: str, value: str
) -> None:  # POL-13
    kept(making(key_id, KeySpec.EC_P256))
    before = kept(lambda device: device.read(PAIR, key_id))
    for call in (1, 2):
        error = kept.failing(
            f"C_SetAttributeValue#{call} {moment} return {value}",
            lambda device: device.permit(PAIR, key_id, frozenset({Operation.DERIVE})),
        )
        assert not error.outcome_unknown
        assert kept(lambda device: device.read(PAIR, key_id)) == before


def test_permissions_that_were_perhaps_changed(kept: Keeper, key_id: bytes) -> None:
    kept(making(key_id, KeySpec.EC_P256))
    lost = kept.failing("C_SetAttributeValue#1 after crash", lambda device: device.permit(PAIR, key_id, frozenset()))
    assert isinstance(lost, HostLostError)
    assert lost.outcome_unknown


def test_a_module_that_says_it_changed_permissions_and_did_not(kept: Keeper, key_id: bytes) -> None:
    kept(making(key_id, KeySpec.AES_128))
    error = kept.failing(
        "C_SetAttributeValue before return 0", lambda device: device.permit(SECRET, key_id, frozenset())
    )
    assert (error.code, error.outcome_unknown) == ("CKR_FUNCTION_FAILED", False)


@pytest.mark.parametrize("order", ["C_DestroyObject#1 after crash", "C_DestroyObject#2 before return 0x30"])
def test_a_removal_that_breaks_off_can_be_asked_again(kept: Keeper, key_id: bytes, order: str) -> None:
    kept(making(key_id, KeySpec.EC_P256))
    kept.failing(order, lambda device: device.remove(PAIR, key_id, None))
    left = kept(lambda device: device.read(PAIR, key_id))
    assert left is not None
    assert not left.has_private  # the private half goes first
    kept(lambda device: device.remove(PAIR, key_id, None))
    assert kept(lambda device: device.read(PAIR, key_id)) is None


def test_a_module_that_says_it_destroyed_a_key_and_did_not(kept: Keeper, key_id: bytes) -> None:
    kept(making(key_id, KeySpec.EC_P256))
    for act in (
        lambda device: device.remove(PAIR, key_id, None),
        lambda device: device.remove_private(key_id),
    ):
        assert kept.failing("C_DestroyObject before return 0", act).code == "CKR_FUNCTION_FAILED"


# Listing


@pytest.mark.parametrize(
    "order",
    [
        "C_FindObjectsInit before return 0x30",
        "C_FindObjects#2 before return 0x30",
        "C_GetAttributeValue#3 before return 0x30",
        "C_GetAttributeValue#3 before hang",
        "C_GetAttributeValue#3 before crash",
        "C_GetAttributeValue before return 0x82",
    ],
)
def test_a_listing_that_breaks_off_gives_nothing(kept: Keeper, order: str) -> None:
    for number in range(3):
        kept(making(bytes([number]) * 16, KeySpec.AES_128))
    kept.failing(order, lambda device: device.read_all())
    listing = kept(lambda device: device.read_all())
    assert len(listing.objects) == 3


@pytest.mark.parametrize("value", ["0x1B", "0x07", "0x11"])
def test_an_object_that_cannot_be_read_is_reported(kept: Keeper, module: FaultyModule, value: str) -> None:
    for number in range(3):
        kept(making(bytes([number]) * 16, KeySpec.AES_128))
    module.forget_calls()
    # 0x11 leaves the buffers as they were: what the object before it said must not be taken for its own.
    module.order(f"C_GetAttributeValue#2 before return {value}")
    with keep_token(
        str(module.path),
        label=kept.token.label,
        serial=kept.token.serial,
        pin=Pin(kept.token.pin),
        pin_version="1",
        environment=kept.environment,
    ) as device:
        listing = device.read_all()
    if value == "0x11":  # each attribute is asked for alone then
        assert (len(listing.objects), list(listing.unmatched)) == (3, [])
        return
    assert len(listing.objects) == 2
    item = listing.unmatched[0]
    assert (item.object_class, item.key_id, item.reason[:17]) == ("", b"", "It cannot be read")


def test_a_key_type_that_nobody_knows_keeps_its_number(kept: Keeper, module: FaultyModule, key_id: bytes) -> None:
    kept(making(key_id, KeySpec.AES_128))
    module.order("C_GetAttributeValue after retype 0x80001234")
    listing = kept(lambda device: device.read_all())
    (record,) = listing.objects
    assert (record.key_type, record.spec, record.spki_der) == ("0x80001234", None, None)


# Using


@pytest.mark.parametrize(
    "order",
    [
        "C_EncryptInit before crash",
        "C_Encrypt before hang",
        "C_DecryptInit before crash",
        "C_Decrypt after crash",
        "C_Sign before crash",
        "C_Verify before crash",
    ],
)
def test_a_use_that_is_lost_can_be_asked_again(kept: Keeper, key_id: bytes, order: str) -> None:
    kept(lambda device: device.generate(key_id, KeySpec.AES_128, "k", SIGNING | {Operation.ENCRYPT, Operation.DECRYPT}))

    def use(device: TokenDevice) -> None:
        mac = device.sign_data(SECRET, key_id, b"data", MacScheme.AES_CMAC)
        assert device.verify_data(SECRET, key_id, b"data", mac, MacScheme.AES_CMAC)
        sealed = device.encrypt(SECRET, key_id, b"data", CipherScheme.AES_GCM)
        assert device.decrypt(SECRET, key_id, sealed, CipherScheme.AES_GCM) == b"data"

    error = kept.failing(order, use)
    assert (error.error_class, error.outcome_unknown) == (ErrorClass.DEVICE, False)
    kept(use)


def test_a_device_that_fails_is_not_taken_for_wrong_data(kept: Keeper, module: FaultyModule, key_id: bytes) -> None:
    kept(lambda device: device.generate(key_id, KeySpec.AES_128, "k", frozenset(Operation) - {Operation.DERIVE}))
    sealed = kept(lambda device: device.encrypt(SECRET, key_id, b"data", CipherScheme.AES_GCM))
    error = kept.failing(
        "C_Decrypt before return 0x30", lambda device: device.decrypt(SECRET, key_id, sealed, CipherScheme.AES_GCM)
    )
    assert error.code == "CKR_DEVICE_ERROR"
    error = kept.failing(
        "C_Decrypt before return 0x05", lambda device: device.decrypt(SECRET, key_id, sealed, CipherScheme.AES_GCM)
    )
    # SoftHSM2 means the tag by it; the token goes on serving, so the data is to blame.
    assert error.code == "CKR_ENCRYPTED_DATA_INVALID"


# Probing


def test_a_probe_finds_a_device_that_fails(
    kept: Keeper, module: FaultyModule, token: Token, environment: dict[str, str]
) -> None:
    def without_a_pin() -> object:
        return probe_token(
            str(module.path), label=token.label, serial=token.serial, deadline_s=20, environment=environment
        )

    assert kept.failing("C_GenerateRandom before return 0x30", lambda device: device.probe()).code == "CKR_DEVICE_ERROR"
    assert kept.failing("C_GetTokenInfo before return 0x30", lambda device: device.probe()).code == "CKR_DEVICE_ERROR"
    module.forget_calls()
    without_a_pin()
    assert "C_Login" not in module.calls()
    module.order("C_GenerateRandom before return 0x30")
    with pytest.raises(DeviceError) as caught:
        without_a_pin()
    assert caught.value.error_class is ErrorClass.DEVICE
    module.order("C_GenerateRandom before return 0x121")  # a token without a generator serves all the same
    without_a_pin()


def test_a_probe_finds_a_token_that_came_back(
    farm: TokenFarm, module: FaultyModule, environment: dict[str, str]
) -> None:
    first = farm.make("first")

    def probe(label: str, serial: str) -> str:
        found = probe_token(str(module.path), label=label, serial=serial, deadline_s=20, environment=environment)
        return found.label

    assert probe(first.label, first.serial) == "first"
    later = farm.make("later")
    assert probe(later.label, later.serial) == "later"
    farm.remove(later)
    with pytest.raises(DeviceError):
        probe(later.label, later.serial)
