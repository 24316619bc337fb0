"""Give a token up. Safe in the web process: erasing a PIN needs no key."""

from datetime import timedelta

from django.db import transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.servers.current import current
from hsm import holders
from hsm.actions import Action
from hsm.models.tokens import TokenBinding

# A key that is about to be made points to its binding within seconds of `hsm.bindings.resolve`.
UNUSED_FOR = timedelta(hours=1)


def release_unused() -> list[str]:
    """Erase the PINs of tokens that no key lives on any more, and return the tokens' names."""
    released = []
    with transaction.atomic():
        quiet = TokenBinding.objects.filter(
            server=current(), forgotten_at=None, pin_accepted_at__lt=clock.now() - UNUSED_FOR
        )
        for binding in quiet.select_for_update(of=("self",)):
            if not holders.keys_on(binding):
                _erase(binding)
                released.append(binding.name)
                log.append(Action.RELEASED, binding.subject, actor=Actor.system("worker"))
    return released


def forget(binding: TokenBinding, *, actor: Actor) -> None:
    """Erase the PIN of a binding: its keys stay on the token, and the console cannot use them any more.

    Runs in the caller's transaction and writes an activity entry.
    """
    _erase(binding)
    log.append(Action.FORGOTTEN, binding.subject, actor=actor, details={"module": binding.module_path})


def _erase(binding: TokenBinding) -> None:
    binding.sealed_pin, binding.pin_version, binding.forgotten_at = None, "", clock.now()
    binding.save(update_fields=["sealed_pin", "pin_version", "forgotten_at"])
