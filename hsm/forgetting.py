"""Give a token up. Safe in the web process: erasing a PIN needs no key."""

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from hsm.actions import Action
from hsm.models import TokenBinding


def forget(binding: TokenBinding, *, actor: Actor) -> None:
    """Erase the PIN of a binding: its keys stay on the token, and the console cannot use them any more.

    Runs in the caller's transaction and writes an activity entry.
    """
    binding.sealed_pin, binding.pin_version, binding.forgotten_at = None, "", clock.now()
    binding.save(update_fields=["sealed_pin", "pin_version", "forgotten_at"])
    log.append(Action.FORGOTTEN, binding.subject, actor=actor, details={"module": binding.module_path})
