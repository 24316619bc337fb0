"""What the pages of a key offer: each operation that this kind of key has, and why it is not to be had now."""

from dataclasses import dataclass

from django.urls import reverse

from console.accounts.models import User
from console.lib.errors import RefusedError
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.objects import SecurityObject
from hsm.rights import Right, rights
from hsm.use.deciding import decide
from hsm.use.schemes import OFFERED, schemes

ICONS = {
    Operation.SIGN: "writing-sign",
    Operation.VERIFY: "shield-check",
    Operation.ENCRYPT: "lock",
    Operation.DECRYPT: "lock-open",
}


@dataclass(frozen=True)
class Offer:
    """An operation and its schemes; with a reason it is refused now."""

    operation: Operation
    icon: str
    url: str
    about: str
    reason: str = ""
    next_step: str = ""

    @property
    def label(self) -> str:
        """The verb of its button."""
        return self.operation.value.capitalize()


def offers(key: SecurityObject) -> list[Offer]:
    """Return what this kind of key can do, whether it may or not; nothing for a kind that the console does not use."""
    if not key.spec:
        return []
    return [_offer(key, operation) for operation in OFFERED if schemes(KeySpec(key.spec), operation)]


def _offer(key: SecurityObject, operation: Operation) -> Offer:
    url = f"{reverse('hsm:object-use', args=[key.pk])}?operation={operation}"
    icon, about = ICONS[operation], _listed([scheme.label for scheme in schemes(KeySpec(key.spec), operation)])
    try:
        decide(key, operation)
    except RefusedError as error:
        reason = error.message.removesuffix(" Nothing was done.")
        return Offer(operation, icon, url, about, reason, error.next_step)
    return Offer(operation, icon, url, about)


def _listed(labels: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))


def may_use(user: User, key: SecurityObject) -> bool:
    """Return whether the user may use the keys of this key's group."""
    return Right.USE in rights(user, key.group)
