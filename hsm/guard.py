"""What this app knows about a setting before it is changed or deleted (`settings_store.guards`). Safe in the web."""

from collections.abc import Collection, Iterator

from django.db.models import QuerySet

from console.lib.actor import Actor
from console.servers.current import current
from hsm import holders
from hsm.forgetting import forget
from hsm.models.tokens import SeenToken, TokenBinding
from settings_store.catalogue import HSM_NAMES
from settings_store.contradictions import KnownToken
from settings_store.guards import Loss

AVOID = (
    "Avoid changing the PIN, the name or the ID of a token that stores keys. {tokens}: change the token first, then "
    "this setting, and check the integration."
)
PIN_NOTICE = "The keys on it follow the new PIN: it is tried once, as a background job, and taken over when accepted."
MOVE_NOTICE = (
    "Keys that exist stay bound to their token by its serial number; this setting decides where the next key is made. "
    "If it is the token itself that was renamed or moved, use Re-bind keys on the HSM integration page after saving."
)


def live_bindings() -> QuerySet[TokenBinding]:
    """Return the bindings of this server that can be opened."""
    return TokenBinding.objects.filter(server=current(), forgotten_at=None)


class HsmGuard:
    """Implements `settings_store.guards.Guard`."""

    def known_tokens(self) -> Iterator[KnownToken]:
        """Return the tokens seen on this server; paths as the settings spell them are resolved by the worker."""
        for token in SeenToken.objects.filter(server=current(), initialized=True):
            for path in {token.module_path, token.asked_path}:
                yield KnownToken(path, int(token.slot_id), token.label)

    def notices(self, name: str) -> Iterator[str]:
        """Warn about settings of a token that stores keys (HSI-37 to 41)."""
        if not name.endswith((".HSMPassword", ".HSMTokenName", ".HSMTokenID")) or name not in HSM_NAMES:
            return
        with_keys = [binding.name for binding in live_bindings() if holders.keys_on(binding)]
        if with_keys:
            yield AVOID.format(tokens=f"Keys live on {' and '.join(with_keys)}")
            yield PIN_NOTICE if name.endswith(".HSMPassword") else MOVE_NOTICE

    def losses(self, names: Collection[str]) -> Iterator[Loss]:
        """Return the keys that live on tokens, when HSM settings are about to go."""
        if HSM_NAMES.isdisjoint(names):
            return
        for binding in live_bindings():
            for key in holders.keys_on(binding):
                yield Loss(what=key.subject.label, where=f"token {binding.name}", url=key.url)

    def forget(self, names: Collection[str], *, actor: Actor) -> None:
        """Give up every token of this server, when HSM settings go and the administrator typed it."""
        if HSM_NAMES.isdisjoint(names):
            return
        for binding in live_bindings():
            forget(binding, actor=actor)
