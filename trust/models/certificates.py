"""Certificates issued to clients, and the batches under which the activity log proves them."""

from django.db import models
from django.db.models import TextChoices

from console.servers.models import Server
from keys.models.subordinate import Subordinate
from trust.models.clients import Client


class Ground(TextChoices):
    """Why a certificate was issued."""

    CREDENTIAL = "credential", "Enrolment credential"
    RENEWAL = "renewal", "Renewal with its certificate"
    LAST_KEY = "last-key", "Proof of its last key"
    ALLOWED = "allowed", "Re-enrolment allowed by an administrator"
    READMITTED = "readmitted", "Certificate that a restore made this server forget"


class Batch(models.Model):
    """Certificates that one entry of the activity log stands for.

    `merkle_root` is that of RFC 6962 §2.1 over their DER, in the order of their ids, hex.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    count = models.PositiveIntegerField()
    merkle_root = models.CharField(max_length=64)
    closed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Batch {self.pk}: {self.count} certificates"


class Certificate(models.Model):
    """One certificate of a client, stored before it is answered.

    `request_sha256` is the digest of the request (DER) with the client's id: the same request gets the same
    certificate. `serial` and fingerprints are hex; `issuer` is the intermediate that signed it.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="certificates")
    issuer = models.ForeignKey(Subordinate, on_delete=models.PROTECT, related_name="+")
    ground = models.CharField(max_length=10, choices=Ground.choices)
    request_sha256 = models.CharField(max_length=64, unique=True)
    serial = models.CharField(max_length=40, unique=True)
    spki_fingerprint = models.CharField(max_length=64)
    spki_der = models.BinaryField()
    der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="certificates")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["client", "-id"]),
            # Few rows wait for their batch; the index holds only those.
            models.Index(fields=["id"], condition=models.Q(batch__isnull=True), name="certificate_without_batch"),
            # So do the revoked ones, which are counted for the lists every few minutes.
            models.Index(
                fields=["issuer", "revoked_at"],
                condition=models.Q(revoked_at__isnull=False),
                name="certificate_revoked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.serial} of {self.client}"
