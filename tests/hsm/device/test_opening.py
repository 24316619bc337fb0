"""Which module, which token: bad paths, tokens that look alike, tokens that go or change."""

import secrets
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hsm.device.base import KeySpec, Pin, SignatureScheme
from hsm.device.errors import ErrorClass, KeyMissingError, ModuleError, TokenNotFoundError
from hsm.device.opening import close_all, find_token, list_tokens, open_token, read_module
from hsm.device.token import TokenDevice
from tests.hsm.device.tokens import SOFTHSM, Token, TokenFarm
from tests.hsm.device.waiting import wait_until
from tests.shim import faulty
from tests.shim.faulty import FaultyModule

pytestmark = pytest.mark.usefixtures("fresh_hosts")


def opened(farm: TokenFarm, token: Token, slot_id: int | None = None) -> AbstractContextManager[TokenDevice]:
    return open_token(
        SOFTHSM,
        label=token.label,
        serial=token.serial,
        slot_id=slot_id,
        pin=Pin(token.pin),
        pin_version="1",
        environment=farm.environment,
    )


def refused(path: str | Path, code: str) -> None:
    with pytest.raises(ModuleError) as caught:
        list_tokens(str(path))
    assert (caught.value.code, caught.value.error_class) == (code, ErrorClass.OPERATOR)
    assert caught.value.next_step


# Modules


def test_a_path_that_is_missing(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.so", "MODULE_NOT_FOUND")


def test_a_directory(tmp_path: Path) -> None:
    refused(tmp_path, "MODULE_NOT_FOUND")


@pytest.mark.parametrize("path", ["", "libsofthsm2.so", "\0", "x" * 5000])
def test_a_path_that_is_none(path: str) -> None:
    refused(path, "MODULE_NOT_FOUND")


@pytest.mark.parametrize("content", [b"", b"not a library\n", b"\x7fELF broken"])
def test_a_file_that_is_no_library(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "module.so").write_bytes(content)
    refused(tmp_path / "module.so", "MODULE_NOT_PKCS11")


def test_a_library_that_is_not_pkcs11(tmp_path: Path) -> None:
    source = tmp_path / "other.c"
    source.write_text("int answer(void) { return 42; }\n")
    refused(faulty.build(source, tmp_path / "other.so"), "MODULE_NOT_PKCS11")


def test_a_link_is_followed(farm: TokenFarm, tmp_path: Path) -> None:
    link = tmp_path / "module.so"
    link.symlink_to(SOFTHSM)
    info = read_module(str(link), environment=farm.environment)
    assert (info.path, info.manufacturer) == (str(Path(SOFTHSM).resolve()), "SoftHSM")
    assert info.cryptoki_version == "2.40"


# Tokens


def test_tokens_are_listed_without_a_pin(farm: TokenFarm) -> None:
    made = {farm.make("alpha").serial, farm.make("beta").serial}
    tokens = list_tokens(SOFTHSM, environment=farm.environment)
    assert {token.serial for token in tokens if token.initialized} == made
    assert any(not token.initialized for token in tokens)  # SoftHSM2 always offers one


def test_a_token_made_later_is_seen_by_a_warm_host(farm: TokenFarm) -> None:
    farm.make("alpha")
    assert len(find_all(farm)) == 1
    farm.make("beta")
    assert find_all(farm) == ["alpha", "beta"]


def test_a_name_that_no_token_has(farm: TokenFarm) -> None:
    farm.make("alpha")
    assert find_code(farm, label="gamma") == "TOKEN_NOT_FOUND"


def test_two_tokens_of_the_same_name(farm: TokenFarm) -> None:
    first, second = farm.make("twin", "11111111"), farm.make("twin", "22222222")
    assert find_code(farm, label="twin") == "TOKEN_AMBIGUOUS"
    for token in (first, second):
        found = find_token(SOFTHSM, label="twin", serial=token.serial, environment=farm.environment)
        assert find_token(SOFTHSM, slot_id=found.slot_id, environment=farm.environment) == found
        with opened(farm, token) as device:
            assert device.token().serial == token.serial


def test_name_and_id_of_different_tokens(farm: TokenFarm) -> None:
    farm.make("alpha")
    farm.make("beta")
    beta = find_token(SOFTHSM, label="beta", environment=farm.environment)
    assert find_code(farm, label="alpha", slot_id=beta.slot_id) == "TOKEN_MISMATCH"
    with pytest.raises(TokenNotFoundError), opened(farm, Token("alpha", beta.serial, "0"), slot_id=beta.slot_id):
        pass


def test_neither_name_nor_id(farm: TokenFarm) -> None:
    farm.make("alpha")
    assert find_code(farm) == "TOKEN_NOT_FOUND"


def test_the_uninitialised_slot_is_no_token(farm: TokenFarm) -> None:
    farm.make("alpha")
    empty = next(token for token in list_tokens(SOFTHSM, environment=farm.environment) if not token.initialized)
    assert find_code(farm, slot_id=empty.slot_id) == "TOKEN_NOT_FOUND"


# Tokens that go or change between two steps


def test_a_token_removed_before_it_is_opened_again(farm: TokenFarm) -> None:
    token = farm.make("alpha")
    with opened(farm, token):
        pass
    farm.remove(token)
    with pytest.raises(TokenNotFoundError), opened(farm, token):
        pass


def test_a_token_initialised_again_between_two_steps(farm: TokenFarm, key_id: bytes) -> None:
    token = farm.make("alpha")
    with opened(farm, token) as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        farm.initialise_again(token)
        with pytest.raises(KeyMissingError):
            device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
        assert device.find(key_id) is None


def test_a_key_made_after_a_token_was_initialised_again_is_there_for_everyone(farm: TokenFarm, key_id: bytes) -> None:
    """A warm login does not notice; the proof on a fresh login is what counts."""
    token = farm.make("alpha")
    with opened(farm, token) as device:
        device.generate_key_pair(secrets.token_bytes(16), KeySpec.EC_P256, "lost")
        farm.initialise_again(token)
        device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        assert [record.key_id for record in device.list_keys()] == [key_id]
    assert key_id.hex() in farm.private_keys(token)
    close_all()
    with opened(farm, token) as device:
        assert device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)


def test_a_token_that_forgets_a_key_at_once(
    farm: TokenFarm, faulty_library: Path, tmp_path: Path, key_id: bytes
) -> None:
    """A token initialised again in the middle of key generation: made, and gone before the proof."""
    token, module = farm.make("alpha"), FaultyModule(faulty_library, tmp_path, SOFTHSM)
    with open_token(
        str(module.path),
        label=token.label,
        pin=Pin(token.pin),
        pin_version="1",
        environment={**farm.environment, **module.environment},
    ) as device:
        module.forget_calls()
        module.order("C_Finalize before wait")  # the first call after generation, before the proof
        thread = threading.Thread(target=initialise_in_between, args=(farm, token, module))
        thread.start()
        with pytest.raises(KeyMissingError) as caught:
            device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
        thread.join()
        assert caught.value.outcome_unknown
        assert device.find(key_id) is None


def test_a_second_opinion_on_a_key(farm: TokenFarm, key_id: bytes) -> None:
    token = farm.make("alpha")
    with opened(farm, token) as device:
        device.generate_key_pair(key_id, KeySpec.EC_P384, "srv Root 1")
    shown = farm.private_keys(token)
    assert key_id.hex() in shown
    assert "srv Root 1" in shown
    assert all(claim in shown for claim in ("sensitive", "always sensitive", "never extractable", "local"))


def test_two_threads_take_turns(farm: TokenFarm) -> None:
    token = farm.make("alpha")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with opened(farm, token) as device:
                key_id = secrets.token_bytes(16)
                device.generate_key_pair(key_id, KeySpec.EC_P256, "k")
                device.sign(key_id, bytes(32), SignatureScheme.ECDSA_SHA256)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def initialise_in_between(farm: TokenFarm, token: Token, module: FaultyModule) -> None:
    wait_until(lambda: "C_Finalize" in module.calls())
    farm.initialise_again(token)
    module.behave()


def find_all(farm: TokenFarm) -> list[str]:
    tokens = list_tokens(SOFTHSM, environment=farm.environment)
    return sorted(token.label for token in tokens if token.initialized)


def find_code(farm: TokenFarm, *, label: str | None = None, slot_id: int | None = None) -> str:
    with pytest.raises(TokenNotFoundError) as caught:
        find_token(SOFTHSM, label=label, slot_id=slot_id, environment=farm.environment)
    return caught.value.code
