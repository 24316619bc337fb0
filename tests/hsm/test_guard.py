"""What the settings say and ask while keys live on a token."""

import secrets
from collections.abc import Iterable
from datetime import timedelta

import pytest

from console.lib import clock
from console.lib.errors import InvalidError
from console.lib.subject import Subject
from hsm import bindings, forgetting, holders, rebinding, requests
from hsm.device.base import KeySpec
from hsm.errors import RebindError
from hsm.holders import BoundKey
from hsm.models.tokens import TokenBinding
from settings_store import guards, store, values
from tests.fixtures.softhsm import SoftHsm, Token
from tests.hsm.conftest import ALICE, Put

pytestmark = pytest.mark.usefixtures("server")


class Keyring:
    """A holder with real keys on real tokens, and nothing else."""

    def __init__(self) -> None:
        self.keys: dict[bytes, tuple[TokenBinding, bytes]] = {}

    def make(self, binding: TokenBinding) -> bytes:
        key_id = secrets.token_bytes(16)
        with bindings.open_binding(binding) as device:
            self.keys[key_id] = (binding, device.generate_key_pair(key_id, KeySpec.EC_P256, "k"))
        return key_id

    def keys_on(self, binding: TokenBinding) -> Iterable[BoundKey]:
        for key_id, (where, spki) in self.keys.items():
            if where == binding:
                yield BoundKey(Subject("root-key", key_id.hex(), f"Key {key_id.hex()[:4]}"), key_id, spki)

    def rebind(self, key: BoundKey, binding: TokenBinding) -> None:
        if key.key_id in self.keys:
            self.keys[key.key_id] = (binding, self.keys[key.key_id][1])


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    made = Keyring()
    monkeypatch.setattr(holders, "_holders", [made])
    return made


@pytest.fixture
def bound(integrated: Token) -> TokenBinding:
    binding = bindings.resolve("Root").binding
    assert binding is not None
    return binding


def test_notices_appear_when_keys_live_on_a_token(bound: TokenBinding, keyring: Keyring) -> None:  # HSI-37, HSI-41
    assert guards.notices("Keys.Root.HSMPassword") == []
    keyring.make(bound)
    pin, name = guards.notices("Keys.Root.HSMPassword"), guards.notices("Keys.Root.HSMTokenName")
    assert "alpha" in pin[0]
    assert "follow the new PIN" in pin[1]
    assert "Re-bind keys" in name[1]
    assert guards.notices("HSMModulePath") == []


def test_deleting_hsm_settings_names_the_keys_and_keeps_them(bound: TokenBinding, keyring: Keyring) -> None:
    keyring.make(bound)
    names = ["HSMModulePath", "Keys.Root.HSMPassword"]
    (loss,) = guards.losses(names)
    assert "alpha" in loss.where
    assert guards.losses(["TLSMode"]) == []
    store.delete([f"Local:{name}" for name in names], actor=ALICE)
    with bindings.open_binding(bound):
        pass


def test_forgetting_erases_the_pin(bound: TokenBinding, keyring: Keyring) -> None:
    keyring.make(bound)
    store.delete(["Local:Keys.Root.HSMPassword"], actor=ALICE, forget=True)
    bound.refresh_from_db()
    assert bound.forgotten_at
    assert bound.sealed_pin is None
    assert guards.losses(["HSMModulePath"]) == []


def test_the_pin_of_a_token_without_keys_is_erased_after_a_while(
    bound: TokenBinding, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, now = keyring.make(bound), clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    assert forgetting.release_unused() == []
    del keyring.keys[key_id]
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=30))
    assert forgetting.release_unused() == []  # a key may be about to be made
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    assert forgetting.release_unused() == [bound.name]
    bound.refresh_from_db()
    assert bound.sealed_pin is None


def test_a_name_and_id_that_disagree_are_refused_once_the_tokens_are_known(  # AMB-13
    integrated: Token, softhsm: SoftHsm, put: Put, run_jobs: object
) -> None:
    beta = softhsm.token("beta")
    requests.list_tokens(actor=ALICE)
    run_jobs()  # type: ignore[operator]
    with pytest.raises(InvalidError, match="Both must be the same token"):
        put("Keys.Root.HSMTokenID", beta.slot_id)
    assert values.text("Keys.Root.HSMTokenID") is None
    put("Keys.Root.HSMTokenID", integrated.slot_id)


def test_keys_are_rebound_to_the_token_that_holds_them(  # AMB-14
    bound: TokenBinding, keyring: Keyring, softhsm: SoftHsm, put: Put
) -> None:
    moved, left = keyring.make(bound), keyring.make(bound)
    beta = softhsm.token("beta", pin="1234")
    put("Keys.Root.HSMTokenName", "beta")
    with pytest.raises(RebindError, match="None of the 2 keys"):
        rebinding.rebind(bound, "Root", actor=ALICE)
    target = bindings.resolve("Root").binding
    assert target is not None
    with bindings.open_binding(target) as device:  # stands for a token that holds a copy of one of the keys
        spki = device.generate_key_pair(moved, KeySpec.EC_P256, "copy")
    keyring.keys[moved] = (bound, spki)
    done = rebinding.rebind(bound, "Root", actor=ALICE)
    assert [key.key_id for key in done.found] == [moved]
    assert [key.key_id for key in done.missing] == [left]
    assert keyring.keys[moved][0] == target
    assert keyring.keys[left][0] == bound
    assert target.serial == beta.serial


def test_a_copy_with_another_public_key_is_not_the_key(
    bound: TokenBinding, keyring: Keyring, softhsm: SoftHsm, put: Put
) -> None:
    key_id = keyring.make(bound)
    softhsm.token("beta", pin="1234")
    put("Keys.Root.HSMTokenName", "beta")
    target = bindings.resolve("Root").binding
    assert target is not None
    with bindings.open_binding(target) as device:
        device.generate_key_pair(key_id, KeySpec.EC_P256, "impostor")
    with pytest.raises(RebindError):
        rebinding.rebind(bound, "Root", actor=ALICE)


def test_a_new_pin_is_tried_by_a_job(bound: TokenBinding, keyring: Keyring, put: Put, run_jobs: object) -> None:
    keyring.make(bound)
    before = bound.pin_version
    run_jobs()  # type: ignore[operator]
    put("Keys.Root.HSMPassword", "1234")
    (job,) = run_jobs()  # type: ignore[operator]
    assert "Accepted by alpha" in job.message
    bound.refresh_from_db()
    assert bound.pin_version != before
    put("Keys.Root.HSMPassword", "9999")
    (job,) = run_jobs()  # type: ignore[operator]
    assert job.state == "failed"
    assert job.error_code == "CKR_PIN_INCORRECT"
