"""Rows of the activity log. Nothing changes them after they are written: triggers refuse it."""

from typing import Any, Self

from django.db import models
from django.db.models import TextChoices

from console.activity import chain


class Outcome(TextChoices):
    """What became of it."""

    REQUESTED = "requested", "Requested"
    SUCCEEDED = "succeeded", "Succeeded"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"


class Entry(models.Model):
    """One act. `details` is canonical JSON text; `hash` and `previous_hash` are 64 hex digits."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    server = models.CharField(max_length=253)
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    actor_id = models.CharField(max_length=64, blank=True)
    planned_by = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=255)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    details = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["actor", "-seq"]),
            models.Index(fields=["action", "-seq"]),
            models.Index(fields=["outcome", "-seq"]),
            models.Index(fields=["subject_kind", "subject_id", "-seq"]),
            models.Index(fields=["at", "-seq"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action} {self.subject_label}"

    def fields(self) -> dict[str, Any]:
        """Return what the hash covers."""
        return {name: getattr(self, name) for name in chain.FIELDS}

    def computed_hash(self) -> str:
        """Return the hash that the stored fields have now."""
        return chain.entry_hash(self.previous_hash, self.fields())


class Head(models.Model):
    """The one row that names the last entry; appending locks it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=chain.GENESIS)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_head")]

    def __str__(self) -> str:
        return f"head {self.seq}"

    @classmethod
    def lock(cls) -> Self:
        """Return the row, locked until the transaction ends."""
        return cls.objects.select_for_update().get(pk=1)


class SignedHead(models.Model):
    """A signature over the head at one moment: proof for everything up to `seq`.

    `public_key` is the DER SubjectPublicKeyInfo of the log key; `signature` a DER ECDSA signature with SHA-256.
    """

    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    server = models.CharField(max_length=253)
    signed_at = models.DateTimeField()
    public_key = models.BinaryField()
    signature = models.BinaryField()

    class Meta:
        ordering = ["-seq", "-id"]
        constraints = [models.UniqueConstraint(fields=["server", "seq"], name="signed_once")]

    def __str__(self) -> str:
        return f"signed head {self.seq}"
