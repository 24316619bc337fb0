"""What every key pair of this console has in common: where its private half lives, and how far its making got."""

import uuid

from django.db import models
from django.db.models import TextChoices

from console.lib.digest import spki_fingerprint
from console.servers.models import Server

KEY_ID_BYTES = 16


class Store(TextChoices):
    """Where a private key lives; empty until the key is placed."""

    LOCAL = "local", "pki.db"
    TOKEN = "token", "HSM token"


class KeyPair(models.Model):
    """A key pair and its certificate. The private half is behind a Device, never in this database.

    `key_id` is the CKA_ID, 16 random bytes, committed before a device is called. `attempt` is the fence: whoever
    works on the row takes the next number, and an outcome is written only under the number it was begun with.
    `intended_der` is the to-be-signed part, stored before the issuer's key is used. `problem` and `problem_code`
    say what went wrong last; `look_after` is when the reconciler may look at an unsettled row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=300)
    key_id = models.BinaryField(max_length=KEY_ID_BYTES, unique=True)
    store = models.CharField(max_length=5, choices=Store.choices, blank=True)
    binding = models.ForeignKey(
        "hsm.TokenBinding", on_delete=models.PROTECT, null=True, blank=True, related_name="%(class)s_keys"
    )
    spki_der = models.BinaryField(default=b"", blank=True)
    fingerprint = models.CharField(max_length=64, unique=True, null=True, blank=True)
    intended_der = models.BinaryField(default=b"", blank=True)
    certificate_der = models.BinaryField(default=b"", blank=True)
    attempt = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True)
    problem_code = models.CharField(max_length=80, blank=True)
    look_after = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def cka_id(self) -> bytes:
        """The CKA_ID as bytes, whatever the database driver returns."""
        return bytes(self.key_id)

    @property
    def on_token(self) -> bool:
        """Whether the private key lives on an HSM token."""
        return self.store == Store.TOKEN

    @property
    def store_label(self) -> str:
        """The store in words, for a page or an entry."""
        if self.binding is not None:
            return f"HSM token {self.binding.label}"
        return "pki.db" if self.store == Store.LOCAL else "not placed yet"


def spki_fields(spki_der: bytes) -> dict[str, bytes | str]:
    """Return the columns that a public key fills."""
    return {"spki_der": spki_der, "fingerprint": spki_fingerprint(spki_der)}


def placed() -> models.Q:
    """Return the rule that a key on a token has a binding, and no other key has one."""
    return models.Q(store=Store.TOKEN, binding__isnull=False) | (
        ~models.Q(store=Store.TOKEN) & models.Q(binding__isnull=True)
    )
