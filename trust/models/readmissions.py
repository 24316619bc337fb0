"""Leave for clients whose newest certificate a restore made this server forget (docs/decisions/0022)."""

import uuid

from django.db import models

from console.lib.subject import Subject
from console.servers.models import Server


class Readmission(models.Model):
    """One administrator's decision after one restore; there is none until somebody takes it.

    `made_at` is when the backup was made, `restored_at` when it was brought back. `admitted` counts the clients that
    came back by it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    restored_at = models.DateTimeField()
    begun_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    begun_by = models.CharField(max_length=150)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    admitted = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-begun_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "restored_at"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="one_readmission_of_a_restore",
            )
        ]

    def __str__(self) -> str:
        return f"Readmission after the restore of {self.restored_at:%Y-%m-%d %H:%M}"

    @property
    def subject(self) -> Subject:
        """The decision as the subject of an entry."""
        return Subject("readmission", str(self.id), str(self))
