"""What this app tells the HSM integration about the keys that live on a token."""

from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse

from hsm.holders import BoundKey
from hsm.models.tokens import TokenBinding
from keys.models.root import Root
from keys.models.subordinate import Subordinate


class KeysHolder:
    """Implements hsm.holders.Holder: every key that is not known to be destroyed, or never made."""

    def keys_on(self, binding: TokenBinding) -> Iterator[BoundKey]:
        """Yield the keys on one token, those included that may be there."""
        may_be_there = Q(destroyed_at=None) & (~Q(state="failed") | Q(look_after__isnull=False))
        for root in Root.objects.filter(may_be_there, binding=binding):
            yield self._bound(root, reverse("keys:root", args=[root.pk]))
        for key in Subordinate.objects.filter(may_be_there, binding=binding):
            yield self._bound(key, reverse("keys:subordinate", args=[key.pk]))

    def rebind(self, key: BoundKey, binding: TokenBinding) -> None:
        """Point one key to another binding, in the caller's transaction."""
        for model in (Root, Subordinate):
            model.objects.filter(key_id=key.key_id).update(binding=binding)

    @staticmethod
    def _bound(key: Root | Subordinate, url: str) -> BoundKey:
        return BoundKey(subject=key.subject, key_id=key.cka_id, spki_der=bytes(key.spki_der), url=url)
