"""Find the keys of a binding on another token, after the token was renamed, moved or replaced (AMB-14). Worker only."""

from dataclasses import dataclass

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.servers.current import current
from hsm import bindings, holders
from hsm.actions import Action
from hsm.device import opening
from hsm.device.base import Device
from hsm.errors import RebindError
from hsm.holders import BoundKey
from hsm.models.tokens import TokenBinding
from hsm.placement import choose


@dataclass(frozen=True)
class Rebound:
    """What was found on the token, and what was not."""

    target: TokenBinding
    found: list[BoundKey]
    missing: list[BoundKey]


def rebind(binding: TokenBinding, key: str, *, actor: Actor) -> Rebound:
    """Point the keys of `binding` to the token that the settings of `key` name, as far as they are there.

    A key is there when its CKA_ID is, with its private half and the same public key. Raises RebindError when none is,
    or what `hsm.bindings` raises; then nothing was changed.
    """
    wanted, pin = bindings.configured(key), bindings.configured_pin(key)
    token = choose(opening.list_tokens(wanted.module_path), wanted)
    keys = holders.keys_on(binding)
    with bindings.logged_in(token, pin) as device:
        found = [one for one in keys if _is_there(device, one)]
    missing = [one for one in keys if one not in found]
    if not found:
        raise RebindError(
            f"None of the {len(keys)} keys of {binding.name} is on token {token.label} (serial {token.serial}). "
            "Nothing was changed.",
            next_step="Check that the settings name the token that holds these keys.",
        )
    with transaction.atomic():
        target = bindings.adopt(token, pin)
        if target.pk != binding.pk:
            holders.rebind(found, binding, target)
        details = {
            "from": binding.name,
            "found": [one.subject.label for one in found],
            "missing": [one.subject.label for one in missing],
        }
        log.append(Action.REBOUND, target.subject, actor=actor, details=details)
    return Rebound(target, found, missing)


def follow_pin(key: str) -> list[str]:
    """Try the PIN that was entered for `key` on the bound tokens that its settings name; return their names.

    Raises what `hsm.bindings.open_binding` raises.
    """
    followed = []
    for binding in TokenBinding.objects.filter(server=current(), forgotten_at=None):
        if bindings.points_to(key, binding):
            with bindings.open_binding(binding):
                followed.append(binding.name)
    return followed


def _is_there(device: Device, key: BoundKey) -> bool:
    record = device.find(key.key_id)
    return record is not None and record.has_private and record.spki_der in {None, key.spki_der}
