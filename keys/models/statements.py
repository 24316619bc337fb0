"""What roots sign about each other: cross-certificates, revocation lists, and revocation directives."""

from django.db import models

from console.servers.models import Server
from keys.models.root import Root


class CrossCertificate(models.Model):
    """`subject`'s public key signed by `issuer`: OldWithNew or NewWithOld of RFC 4210 §4.4."""

    issuer = models.ForeignKey(Root, on_delete=models.PROTECT, related_name="cross_issued")
    subject = models.ForeignKey(Root, on_delete=models.PROTECT, related_name="cross_certificates")
    serial = models.CharField(max_length=40)
    certificate_der = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["issuer", "subject"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="cross_certified_once"),
            models.CheckConstraint(condition=~models.Q(issuer=models.F("subject")), name="cross_not_self"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} signed by {self.issuer}"


class Crl(models.Model):
    """The last revocation list that a root signed before its private key was destroyed."""

    root = models.OneToOneField(Root, on_delete=models.PROTECT, related_name="crl")
    number = models.PositiveBigIntegerField()
    crl_der = models.BinaryField()
    entries = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"CRL of {self.root}"


class Directive(models.Model):
    """The signed order to stop trusting `root` (KEY-27): canonical JSON in `payload`, signed by root `signer`.

    `sequence` grows by one for each server, so that a component can tell a missing directive.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    root = models.OneToOneField(Root, on_delete=models.PROTECT, related_name="directive")
    signer = models.ForeignKey(Root, on_delete=models.PROTECT, related_name="directives_signed")
    payload = models.BinaryField()
    signature = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["server", "-sequence"]
        constraints = [models.UniqueConstraint(fields=["server", "sequence"], name="directive_sequence_once")]

    def __str__(self) -> str:
        return f"Directive {self.sequence}: {self.root} is revoked"
