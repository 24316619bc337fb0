"""The enrolment credential of an infrastructure configuration file: it lets names enrol that nobody knows yet."""

import uuid

from django.db import models

from console.lib.subject import Subject
from console.servers.models import Server


class Credential(models.Model):
    """Each downloaded keystead-init.dat has one of its own.

    `secret_sha256` is the SHA-256, hex, of its 32 random bytes: with that much entropy a slow hash would only help who
    wants to keep the listener busy; it is empty until the file is made, and then nothing matches it. `most_uses` limits
    how many new names it enrols, `uses` counts them; `exhausted_at` is when the activity log said that none is left.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    secret_sha256 = models.CharField(max_length=64, blank=True)
    most_uses = models.PositiveIntegerField()
    uses = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    exhausted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(uses__lte=models.F("most_uses")), name="credential_not_used_too_often"
            )
        ]
        indexes = [models.Index(fields=["-created_at", "-id"])]

    def __str__(self) -> str:
        return f"Enrolment credential {self.short}"

    @property
    def short(self) -> str:
        """The beginning of its id, by which people tell it from others."""
        return str(self.id)[:8]

    @property
    def left(self) -> int:
        """How many new names it may still enrol."""
        return self.most_uses - self.uses

    @property
    def subject(self) -> Subject:
        """The credential as the subject of an entry."""
        return Subject("enrolment-credential", str(self.id), str(self))
