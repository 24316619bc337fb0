"""A keystead-init.dat on its way from the worker that makes it to the one browser that asked for it."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import TextChoices

from trust.models.credentials import Credential


class InitFileState(TextChoices):
    """All but the first two are ends; only a file that is ready has contents."""

    PREPARING = "preparing", "Being made"
    READY = "ready", "Ready"
    HANDED_OUT = "handed-out", "Handed out"
    FAILED = "failed", "Not made"
    EXPIRED = "expired", "Not fetched in time"
    WITHDRAWN = "withdrawn", "Withdrawn before it was fetched"


UNDER_WAY = (InitFileState.PREPARING, InitFileState.READY)


class InitFile(models.Model):
    """One download. `id` is the token of the form that asked for it, so a double click asks once.

    `public_key` is the public half of a pair made for this download; the private half is a cookie of the browser that
    asked, and nowhere else. `sealed` is the file for that pair, and only while it waits to be fetched. `settings` is
    what is preconfigured in the file. `asked_by_id` is the user who may fetch it, until `expires_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="file")
    state = models.CharField(max_length=10, choices=InitFileState.choices, default=InitFileState.PREPARING)
    asked_by_id = models.CharField(max_length=64)
    public_key = models.BinaryField()
    settings = models.JSONField(default=dict)
    sealed = models.BinaryField(null=True, blank=True)
    expires_at = models.DateTimeField()
    handed_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=InitFileState.READY, sealed__isnull=False)
                | (~models.Q(state=InitFileState.READY) & models.Q(sealed__isnull=True)),
                name="init_file_kept_while_ready",
            )
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state__in=[str(state) for state in UNDER_WAY]),
                name="init_file_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"File of {self.credential}"

    def is_over(self, now: datetime) -> bool:
        """Whether nobody fetches it any more, though it may not be marked so yet."""
        return self.state not in UNDER_WAY or self.expires_at <= now
