"""What each operation of the protocol does with a device: one call of the port, as a table."""

from collections.abc import Callable
from typing import Any

from hsm.device import gatewaywire as wire
from hsm.device.base import Pin, SignatureScheme
from hsm.device.errors import DeviceError
from hsm.device.objects import KeyFamily, MacScheme, family_of
from hsm.device.token import TokenDevice
from hsm.gateway.faults import not_understood
from hsm.gateway.listings import Listings

SCHEMES = frozenset({*SignatureScheme, *MacScheme})


class Operations:
    """Carries out requests on a device that is open."""

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self._listings = Listings()
        self._acts: dict[type[wire.Request], Callable[[TokenDevice, Any], wire.Answer]] = {
            wire.Token: lambda device, _: self._token(device.token()),
            wire.Probe: lambda device, _: self._token(device.probe()),
            wire.Mechanisms: lambda device, _: _mechanisms(device),
            wire.Generate: _generate,
            wire.Import: _import,
            wire.Read: _read,
            wire.List: self._listings.page,
            wire.Permit: _permit,
            wire.RemovePrivate: _remove_private,
            wire.Remove: _remove,
            wire.Sign: _sign,
            wire.Verify: _verify,
            wire.Encrypt: lambda device, asked: _data(device.encrypt, asked),
            wire.Decrypt: lambda device, asked: _data(device.decrypt, asked),
        }

    def carry_out(self, device: TokenDevice, request: wire.Request) -> wire.Answer:
        """Return the answer. Raises DeviceError."""
        return self._acts[type(request)](device, request)

    def _token(self, token: Any) -> wire.Answer:
        return wire.TokenAnswer(token=wire.token_part(token), is_open=self._is_open)


def existing_key(device: TokenDevice, request: wire.Request) -> wire.KeyPart | None:
    """Return the key that stands in the way of a creation, if it can be read. Raises nothing."""
    if not isinstance(request, wire.Generate):
        return None
    asked = family_of(request.spec)
    for family in (asked, *(other for other in KeyFamily if other is not asked)):
        try:
            record = device.read(family, request.key_id)
        except DeviceError:
            return None
        if record is not None:
            return wire.key_part(record)
    return None


def _mechanisms(device: TokenDevice) -> wire.Answer:
    found = device.capabilities()
    return wire.MechanismsAnswer(
        mechanisms=sorted(found.mechanisms), specs=sorted(found.specs), schemes=sorted(found.schemes)
    )


def _generate(device: TokenDevice, asked: wire.Generate) -> wire.Answer:
    record = device.generate(asked.key_id, asked.spec, asked.key_label, asked.operations)
    return wire.KeyAnswer(key=wire.key_part(record))


def _import(device: TokenDevice, asked: wire.Import) -> wire.Answer:
    record = device.import_key(asked.key_id, asked.spec, asked.key_label, asked.operations, Pin(asked.material))
    return wire.KeyAnswer(key=wire.key_part(record))


def _read(device: TokenDevice, asked: wire.Read) -> wire.Answer:
    record = device.read(asked.family, asked.key_id)
    return wire.ReadAnswer(key=wire.key_part(record) if record is not None else None)


def _permit(device: TokenDevice, asked: wire.Permit) -> wire.Answer:
    return wire.KeyAnswer(key=wire.key_part(device.permit(asked.family, asked.key_id, asked.operations)))


def _remove_private(device: TokenDevice, asked: wire.RemovePrivate) -> wire.Answer:
    device.remove_private(asked.key_id)
    return wire.DoneAnswer()


def _remove(device: TokenDevice, asked: wire.Remove) -> wire.Answer:
    device.remove(asked.family, asked.key_id, asked.spki_der)
    return wire.DoneAnswer()


def _sign(device: TokenDevice, asked: wire.Sign) -> wire.Answer:
    return wire.SignAnswer(signature=device.sign_data(asked.family, asked.key_id, asked.data, _scheme(asked)))


def _verify(device: TokenDevice, asked: wire.Verify) -> wire.Answer:
    valid = device.verify_data(asked.family, asked.key_id, asked.data, asked.signature, _scheme(asked))
    return wire.VerifyAnswer(valid=valid)


def _data(act: Callable[..., bytes], asked: wire.Encrypt | wire.Decrypt) -> wire.Answer:
    return wire.DataAnswer(data=act(asked.family, asked.key_id, asked.data, asked.scheme))


def _scheme(asked: wire.Sign) -> str:
    if asked.scheme not in SCHEMES:
        raise not_understood(f"There is no signature scheme {asked.scheme!r}.")
    return asked.scheme
