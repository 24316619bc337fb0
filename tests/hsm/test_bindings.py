"""Where a key is made, how its token is reached later, and how often a PIN is tried. Real SoftHSM2 tokens."""

import secrets
import subprocess

import pytest

from console.activity.models import Entry
from console.lib.errors import RefusedError
from console.servers.models import Server
from hsm import bindings, pins
from hsm.actions import Action
from hsm.device.base import KeySpec
from hsm.device.errors import DeviceError, TokenNotFoundError
from hsm.errors import BindingForgottenError, NotConfiguredError, PinRejectedError, TokenChoiceError
from hsm.forgetting import forget
from hsm.models.tokens import PinState, PinTrial, TokenBinding
from settings_store import store
from tests.fixtures.softhsm import SoftHsm, Token
from tests.hsm.conftest import ALICE, Put, point_to


def test_without_settings_keys_are_made_in_the_key_store(server: Server) -> None:  # SET-17
    assert bindings.resolve("Root").is_local
    assert bindings.resolve("MessageSigning").is_local


def test_a_root_is_placed_on_the_token_that_the_settings_name(integrated: Token) -> None:  # SET-21, HSI-04
    binding = bindings.resolve("Root").binding
    assert binding is not None
    assert (binding.label, binding.serial) == (integrated.label, integrated.serial)
    assert bindings.resolve("MessageSigning").binding == binding
    assert integrated.pin.encode() not in bytes(binding.sealed_pin or b"")


def test_each_key_has_its_own_setting(put: Put, token: Token) -> None:  # SET-18
    point_to(put, token, "Root")
    assert not bindings.resolve("Root").is_local
    assert bindings.resolve("MessageSigning").is_local


def test_a_slot_number_alone_finds_the_token(put: Put, token: Token) -> None:  # SET-23
    point_to(put, token, "Root")
    store.delete(["Local:Keys.Root.HSMTokenName"], actor=ALICE)
    put("Keys.Root.HSMTokenID", hex(token.slot_id))  # AMB-16
    binding = bindings.resolve("Root").binding
    assert binding is not None
    assert binding.serial == token.serial


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("HSMModulePath", "HSMModulePath"),
        ("Keys.Root.HSMPassword", "Keys.Root.HSMPassword"),
        ("Keys.Root.HSMTokenName", "Keys.Root.HSMTokenID"),  # SET-25: names both settings
    ],
)
def test_a_missing_setting_is_named(integrated: Token, missing: str, named: str) -> None:
    store.delete([f"Local:{missing}"], actor=ALICE)
    with pytest.raises(NotConfiguredError, match=named):
        bindings.resolve("Root")


def test_an_unknown_token_name_is_refused_with_the_names_there_are(integrated: Token, put: Put) -> None:  # SET-21
    put("Keys.Root.HSMTokenName", "omega")
    with pytest.raises(TokenChoiceError, match=r"Keys\.Root\.HSMTokenName is “omega”") as caught:
        bindings.resolve("Root")
    assert "“alpha”" in caught.value.next_step
    assert not PinTrial.objects.exists()


def test_two_tokens_of_one_name_need_the_id_as_well(integrated: Token, softhsm: SoftHsm, put: Put) -> None:
    twin = softhsm.token("alpha", pin="5678")
    with pytest.raises(TokenChoiceError, match="2 tokens are named “alpha”"):
        bindings.resolve("Root")
    assert not PinTrial.objects.exists()
    put("Keys.Root.HSMTokenID", twin.slot_id)
    put("Keys.Root.HSMPassword", twin.pin)
    binding = bindings.resolve("Root").binding
    assert binding is not None
    assert binding.serial == twin.serial


def test_name_and_id_of_different_tokens_are_refused_before_the_pin(  # AMB-13
    integrated: Token, softhsm: SoftHsm, put: Put
) -> None:
    put("Keys.Root.HSMTokenID", softhsm.token("beta").slot_id)
    with pytest.raises(TokenChoiceError, match=r"Keys\.Root\.HSMTokenName.*Keys\.Root\.HSMTokenID"):
        bindings.resolve("Root")
    assert not PinTrial.objects.exists()


def test_a_wrong_pin_is_tried_once_and_never_again(integrated: Token, put: Put) -> None:  # SET-19
    put("Keys.Root.HSMPassword", "9999")
    with pytest.raises(PinRejectedError, match="not tried again") as caught:
        bindings.resolve("Root")
    assert caught.value.code == "CKR_PIN_INCORRECT"
    claimed = PinTrial.objects.get(state=PinState.REJECTED).claimed_at
    with pytest.raises(PinRejectedError, match="rejected this PIN before"):
        bindings.resolve("Root")
    assert PinTrial.objects.get(state=PinState.REJECTED).claimed_at == claimed
    assert Entry.objects.filter(action=Action.PIN_REJECTED).exists()
    assert "9999" not in "".join(Entry.objects.values_list("details", flat=True))


def test_the_same_wrong_pin_under_the_other_setting_is_not_tried(integrated: Token, put: Put) -> None:
    put("Keys.Root.HSMPassword", "9999")
    put("Keys.MessageSigning.HSMPassword", "9999")
    with pytest.raises(PinRejectedError):
        bindings.resolve("Root")
    with pytest.raises(PinRejectedError, match="rejected this PIN before"):
        bindings.resolve("MessageSigning")
    assert PinTrial.objects.count() == 1


def test_a_pin_that_is_entered_anew_is_tried_anew(integrated: Token, put: Put) -> None:
    put("Keys.Root.HSMPassword", "9999")
    with pytest.raises(PinRejectedError):
        bindings.resolve("Root")
    put("Keys.Root.HSMPassword", integrated.pin)
    assert bindings.resolve("Root").binding


@pytest.mark.parametrize("pin", ["1", "7" * 255])
def test_a_pin_of_a_length_that_the_token_does_not_take_is_a_clear_error(integrated: Token, put: Put, pin: str) -> None:
    put("Keys.Root.HSMPassword", pin)
    with pytest.raises((RefusedError, DeviceError)) as caught:
        bindings.resolve("Root")
    assert pin not in str(caught.value)


def test_a_key_outlives_the_settings_that_led_to_it(integrated: Token) -> None:  # walkthrough 7
    binding = bindings.resolve("Root").binding
    assert binding is not None
    key_id = secrets.token_bytes(16)
    with bindings.open_binding(binding) as device:
        device.generate_key_pair(key_id, KeySpec.EC_P384, "outlives")
    names = ["HSMModulePath", *(f"Keys.Root.{name}" for name in ("UseHSM", "HSMPassword", "HSMTokenName"))]
    store.delete([f"Local:{name}" for name in names], actor=ALICE)
    assert bindings.resolve("Root").is_local
    with bindings.open_binding(binding) as device:
        found = device.find(key_id)
    assert found
    assert found.has_private


def test_a_binding_follows_a_new_pin_of_its_token(integrated: Token, put: Put) -> None:  # HSI-38
    binding = bindings.resolve("Root").binding
    assert binding is not None
    before = binding.pin_version
    change_pin(integrated, "1234", "4321")
    put("Keys.Root.HSMPassword", "4321")
    with bindings.open_binding(binding) as device:
        assert device.token().serial == integrated.serial
    assert binding.pin_version != before
    store.delete(["Local:Keys.Root.HSMPassword", "Local:Keys.MessageSigning.HSMPassword"], actor=ALICE)
    with bindings.open_binding(binding):
        pass


def test_a_pin_that_only_the_setting_changed_is_a_login_error_once(integrated: Token, put: Put) -> None:  # HSI-38
    binding = bindings.resolve("Root").binding
    assert binding is not None
    put("Keys.Root.HSMPassword", "4321")
    with pytest.raises(PinRejectedError, match="not tried again"), bindings.open_binding(binding):
        pass
    with bindings.open_binding(binding) as device:  # the token still has the PIN that was accepted before
        assert device.token().label == "alpha"
    with pytest.raises(PinRejectedError):  # but no new key is made with a PIN that is known to be wrong
        bindings.resolve("Root")


def test_a_pin_for_another_token_is_not_tried_on_this_one(integrated: Token, softhsm: SoftHsm, put: Put) -> None:
    binding = bindings.resolve("Root").binding
    assert binding is not None
    beta = softhsm.token("beta", pin="8888")
    for key in ("Root", "MessageSigning"):
        put(f"Keys.{key}.HSMTokenName", "beta")
        put(f"Keys.{key}.HSMPassword", beta.pin)
    with bindings.open_binding(binding) as device:
        assert device.token().label == "alpha"
    assert not PinTrial.objects.filter(state=PinState.REJECTED).exists()


def test_a_forgotten_binding_opens_nothing(integrated: Token) -> None:
    binding = bindings.resolve("Root").binding
    assert binding is not None
    forget(binding, actor=ALICE)
    with pytest.raises(BindingForgottenError), bindings.open_binding(binding):
        pass
    assert TokenBinding.objects.get(pk=binding.pk).sealed_pin is None
    again = bindings.resolve("Root").binding
    assert again is not None
    assert again.pk != binding.pk


def test_a_token_that_was_removed_is_named(integrated: Token, softhsm: SoftHsm) -> None:
    binding = bindings.resolve("Root").binding
    assert binding is not None
    softhsm.remove(integrated)
    with pytest.raises(TokenNotFoundError), bindings.open_binding(binding):
        pass


def test_a_token_that_was_initialised_anew_is_not_the_old_one(integrated: Token, put: Put) -> None:
    binding = bindings.resolve("Root").binding
    assert binding is not None
    key_id = secrets.token_bytes(16)
    with bindings.open_binding(binding) as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "gone")
    initialise_anew(integrated, "alpha")
    with bindings.open_binding(binding) as device:
        assert device.find(key_id) is None
    initialise_anew(integrated, "gamma")
    with pytest.raises(TokenNotFoundError), bindings.open_binding(binding):
        pass
    with pytest.raises(TokenChoiceError, match="“alpha”"):
        bindings.resolve("Root")


def test_an_attempt_without_an_answer_is_not_repeated_for_ever(integrated: Token) -> None:
    identity = pins.Identity("/m.so", "alpha", "1")
    pin = bindings.configured_pin("Root")
    from hsm.device.errors import DeadlineError

    for _ in range(pins.INTERRUPTED_AT_MOST + 1):
        with pytest.raises(DeadlineError), pins.trial(identity, pin):
            raise DeadlineError("The module did not answer.", code="DEADLINE")
    with pytest.raises(PinRejectedError, match="did not answer"), pins.trial(identity, pin):
        raise AssertionError("the PIN was tried once more")


def change_pin(token: Token, old: str, new: str) -> None:
    """Change the user PIN of a token, as its owner does with pkcs11-tool."""
    subprocess.run(
        ["pkcs11-tool", "--module", token.module, "--token-label", token.label, "--login", "--pin", old,
         "--change-pin", "--new-pin", new],
        check=True, capture_output=True,
    )  # fmt: skip


def initialise_anew(token: Token, label: str) -> None:
    """Initialise a token again, as its security officer may: the keys are gone, the serial number may stay."""
    subprocess.run(
        ["softhsm2-util", "--init-token", "--serial", token.serial, "--label", label, "--so-pin", token.so_pin,
         "--pin", token.pin],
        check=True, capture_output=True,
    )  # fmt: skip
