"""Backups that were asked for on this console, and what came of them."""

import uuid

from django.db import models
from django.db.models import TextChoices

from console.lib.subject import Subject
from console.servers.models import Server


class BackupLabel(TextChoices):
    """What a backup is for (KEY-28, KEY-29); the values are those of `keys.backup.header.Label`."""

    MANUAL = "manual", "Manual"
    PRE_REVOCATION = "pre-revocation", "Pre-revocation"
    POST_REVOCATION = "post-revocation", "Post-revocation"


class Backup(models.Model):
    """One archive on a server's host. `finished_at` is empty until it is whole; `problem` says why it never will be.

    `sealed_passphrase` is there while the job waits and runs, sealed for the worker; no end of the job leaves it.
    `roots` and `not_contained` are the lists in the header of the archive.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="backups")
    label = models.CharField(max_length=15, choices=BackupLabel.choices)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    path = models.TextField(blank=True)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    roots = models.JSONField(default=list)
    not_contained = models.JSONField(default=list)
    finished_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)
    sealed_passphrase = models.BinaryField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["server", "-asked_at"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sealed_passphrase__isnull=True)
                | (models.Q(finished_at__isnull=True) & models.Q(problem="")),
                name="passphrase_ends_with_the_backup",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_label_display()} backup of {self.server}"

    @property
    def subject(self) -> Subject:
        """The backup as the subject of an entry or a job."""
        return Subject("backup", str(self.id), str(self))
