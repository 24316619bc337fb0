"""Where the next key is made, and how a key on a token is reached. Worker only.

A key on a token points to a binding, not to settings: the settings can move to another HSM, or go, while the keys on
the first one stay usable. The binding follows a new PIN that is entered for its token.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from django.db import transaction

from console import pkilog
from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.lib.opening import worker_pair
from console.lib.subject import Subject
from console.pkilog import Level
from console.servers.current import current
from hsm import pins
from hsm.actions import Action
from hsm.device import opening
from hsm.device.base import Device, TokenInfo
from hsm.device.errors import DeviceError
from hsm.errors import BindingForgottenError, NotConfiguredError, PinRejectedError
from hsm.models.tokens import TokenBinding
from hsm.pins import EnteredPin, Identity
from hsm.placement import Wanted, choose, refuse_unusable
from settings_store import values
from settings_store.catalogue import KEYS_ON_HSM
from settings_store.opening import reveal

PIN_PURPOSE = "token-binding"
WORKER = Actor.system("worker")


@dataclass(frozen=True)
class Placement:
    """Where a key is made: on the token of `binding`, or in pki.db when there is none."""

    binding: TokenBinding | None

    @property
    def is_local(self) -> bool:
        """Whether the key is made in pki.db."""
        return self.binding is None


def resolve(key: str) -> Placement:
    """Return where the settings put the next `Root` or `MessageSigning` key; reads them anew.

    The token has accepted the PIN when this returns. Raises NotConfiguredError, TokenChoiceError and
    PinRejectedError, each naming the setting, or a DeviceError. There is no fall-back to pki.db (HSI-04).
    """
    if not values.flag(f"Keys.{key}.UseHSM"):
        return Placement(None)
    wanted = configured(key)
    pin = configured_pin(key)
    token = choose(opening.list_tokens(wanted.module_path), wanted)
    with logged_in(token, pin):
        return Placement(adopt(token, pin))


def configured(key: str) -> Wanted:
    """Return what the settings say about the token of a key; raises NotConfiguredError."""
    module_path = values.text("HSMModulePath")
    if module_path is None:
        raise NotConfiguredError("HSMModulePath is not set, so no HSM can be used.", next_step="Add HSMModulePath.")
    label = values.text(f"Keys.{key}.HSMTokenName")
    slot_id = values.optional_integer(f"Keys.{key}.HSMTokenID")
    if label is None and slot_id is None:
        raise NotConfiguredError(
            f"Neither Keys.{key}.HSMTokenName nor Keys.{key}.HSMTokenID is set, so no token is named.",
            next_step="Add one of the two.",
        )
    return Wanted(key, real_path(module_path), label, slot_id)


def real_path(module_path: str) -> str:
    """Return the path by which a module is known; one that is not absolute stays, and is refused by the device."""
    return os.path.realpath(module_path) if module_path.startswith("/") else module_path


def configured_pin(key: str) -> EnteredPin:
    """Return the PIN that is entered for a key; raises NotConfiguredError."""
    name = f"Keys.{key}.HSMPassword"
    sealed = values.sealed(name)
    if sealed is None:
        raise NotConfiguredError(f"{name} is not set, so the token cannot be opened.", next_step=f"Add {name}.")
    return EnteredPin(reveal(sealed), sealed.version, sealed.entered_at, name)


@contextmanager
def logged_in(token: TokenInfo, pin: EnteredPin) -> Iterator[Device]:
    """Open a token that was just listed, so that its flags are known before the PIN is tried.

    Raises TokenChoiceError when they forbid a login, PinRejectedError, or a DeviceError.
    """
    identity = Identity(token.module, token.label, token.serial)
    refuse_unusable(token, proven=pins.accepted(identity, pin.version))
    with ExitStack() as stack:
        try:
            with pins.trial(identity, pin):
                device = stack.enter_context(
                    opening.open_token(
                        token.module, label=token.label, serial=token.serial, pin=pin.secret, pin_version=pin.version
                    )
                )
        except PinRejectedError as error:
            _record_rejection(token, pin, error)
            raise
        except DeviceError as error:
            _note(token, error.code, Level.ERROR)
            raise
        _note(token, "ok")
        yield device


@contextmanager
def open_binding(binding: TokenBinding) -> Iterator[Device]:
    """Open the token of a binding, with the newest PIN that was entered for it and not rejected.

    Raises BindingForgottenError, TokenChoiceError, PinRejectedError or a DeviceError.
    """
    binding.refresh_from_db()
    pin = newest_pin(binding)
    token = opening.find_token(binding.module_path, label=binding.label, serial=binding.serial)
    with logged_in(token, pin) as device:
        if (pin.version, str(token.slot_id)) != (binding.pin_version, binding.slot_id):
            adopt(token, pin)
            binding.refresh_from_db()
        yield device


def newest_pin(binding: TokenBinding) -> EnteredPin:
    """Return the PIN to try on this token; raises BindingForgottenError or PinRejectedError."""
    if binding.forgotten_at or binding.sealed_pin is None or binding.pin_accepted_at is None:
        raise BindingForgottenError(
            f"The token {binding.name} was forgotten, and its PIN with it. The keys on it cannot be used.",
            next_step="Set the HSM settings to that token again, and use Re-bind keys.",
        )
    identity = Identity(binding.module_path, binding.label, binding.serial)
    entered = [configured_pin(key) for key in KEYS_ON_HSM if points_to(key, binding)]
    newer = [pin for pin in entered if pin.version != binding.pin_version and pin.entered_at > binding.pin_accepted_at]
    for pin in sorted(newer, key=lambda one: one.entered_at, reverse=True):
        if not pins.rejected(identity, pin.version):
            return pin
    secret = worker_pair().open(bytes(binding.sealed_pin), purpose=PIN_PURPOSE, row_id=str(binding.id))
    source = newer[0].source if newer else (entered[0].source if entered else "the HSM settings of that token")
    return EnteredPin(secret, binding.pin_version, binding.pin_accepted_at, source)


def points_to(key: str, binding: TokenBinding) -> bool:
    """Whether the settings of a key, with a PIN, mean the token of this binding (by name, else by slot)."""
    if values.sealed(f"Keys.{key}.HSMPassword") is None:
        return False
    try:
        wanted = configured(key)
    except NotConfiguredError:
        return False
    same_token = wanted.label == binding.label if wanted.label else str(wanted.slot_id) == binding.slot_id
    return wanted.module_path == binding.module_path and same_token


def adopt(token: TokenInfo, pin: EnteredPin) -> TokenBinding:
    """Return the binding of a token that has just accepted this PIN, made or brought up to date."""
    seen = {"slot_id": str(token.slot_id), "manufacturer": token.manufacturer, "model": token.model}
    with transaction.atomic():
        binding, is_new = TokenBinding.objects.select_for_update(of=("self",)).get_or_create(
            server=current(),
            module_path=token.module,
            label=token.label,
            serial=token.serial,
            forgotten_at=None,
            defaults={"created_at": clock.now(), **seen},
        )
        if not is_new and (binding.pin_version, binding.slot_id) == (pin.version, str(token.slot_id)):
            binding.pin_accepted_at = clock.now()
            binding.save(update_fields=["pin_accepted_at"])
            return binding
        for name, value in seen.items():
            setattr(binding, name, value)
        _put_pin(binding, pin)
        action = Action.BOUND if is_new else Action.PIN_FOLLOWED
        log.append(action, binding.subject, actor=WORKER, details={"module": token.module, "PIN from": pin.source})
    return binding


def _put_pin(binding: TokenBinding, pin: EnteredPin) -> None:
    public = worker_pair().public
    binding.sealed_pin = public.seal(pin.secret.reveal_bytes(), purpose=PIN_PURPOSE, row_id=str(binding.id))
    binding.pin_version = pin.version
    binding.pin_accepted_at = clock.now()
    binding.save()


def _record_rejection(token: TokenInfo, pin: EnteredPin, error: PinRejectedError) -> None:
    _note(token, error.code, Level.ERROR)
    subject = Subject("token", token.serial, token.label)
    details = {"setting": pin.source, "code": error.code, "module": token.module}
    with transaction.atomic():
        log.append(Action.PIN_REJECTED, subject, actor=WORKER, outcome=Outcome.FAILED, details=details)


def _note(token: TokenInfo, result: str, level: Level = Level.INFO) -> None:
    pkilog.write("token-login", component="hsm.bindings", subject=token.label, result=result, level=level)
