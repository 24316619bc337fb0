"""The key that signs the head of the activity log."""

from django.db import models
from django.db.models import Q

from console.lib.subject import Subject
from console.servers.models import Server
from keys.models.keypair import KEY_ID_BYTES


class LogKey(models.Model):
    """Lives in `pki.db` of its server. The row is written before the key is made; `ready_at` says it was."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    key_id = models.BinaryField(max_length=KEY_ID_BYTES, unique=True)
    spki_der = models.BinaryField(default=b"", blank=True)
    fingerprint = models.CharField(max_length=64, unique=True, null=True, blank=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["server"], condition=Q(retired_at__isnull=True), name="one_log_key"),
            models.CheckConstraint(
                condition=Q(ready_at__isnull=True) | Q(fingerprint__isnull=False), name="ready_log_key_complete"
            ),
        ]

    def __str__(self) -> str:
        return f"Log key of {self.server}"

    @property
    def subject(self) -> Subject:
        """The key as the subject of an entry."""
        return Subject("activity-log", str(self.pk), f"Log key of {self.server.fqdn}")
