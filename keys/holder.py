"""What this app tells the HSM integration about the keys that live on a token."""

from collections.abc import Iterator

from django.urls import reverse

from hsm.holders import BoundKey
from hsm.models import TokenBinding
from keys.models.root import Root, RootState
from keys.models.subordinate import Subordinate, SubordinateState


class KeysHolder:
    """Implements hsm.holders.Holder: every key that is not known to be destroyed, or never made."""

    def keys_on(self, binding: TokenBinding) -> Iterator[BoundKey]:
        """Yield the keys on one token, those in doubt included."""
        for root in Root.objects.filter(binding=binding, destroyed_at=None).exclude(state=RootState.FAILED):
            yield self._bound(root, reverse("keys:root", args=[root.pk]))
        below = Subordinate.objects.filter(binding=binding, destroyed_at=None)
        for key in below.exclude(state=SubordinateState.FAILED):
            yield self._bound(key, reverse("keys:subordinate", args=[key.pk]))

    def rebind(self, key: BoundKey, binding: TokenBinding) -> None:
        """Point one key to another binding, in the caller's transaction."""
        for model in (Root, Subordinate):
            model.objects.filter(key_id=key.key_id).update(binding=binding)

    @staticmethod
    def _bound(key: Root | Subordinate, url: str) -> BoundKey:
        return BoundKey(subject=key.subject, key_id=key.cka_id, spki_der=bytes(key.spki_der), url=url)
