"""What is signed for clients: trust lists, settings, directives, questions."""

from django.db import models
from django.db.models import TextChoices

from console.servers.models import Server

EVERYONE = "*"


class DocumentKind(TextChoices):
    """The values are those of `trust.wire.signed.Kind`."""

    TRUST_LIST = "trust-list", "Trust list"
    SETTINGS = "settings", "Settings"
    DIRECTIVE = "directive", "Directive"
    QUESTION = "question", "Question"


class DocumentCounter(models.Model):
    """The highest sequence that was taken for an audience, whatever kind of document it was taken for.

    It is taken, and committed, before a key is used: no two documents are ever signed with one sequence.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    audience = models.CharField(max_length=36, default=EVERYONE)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "audience"], name="document_counter_once")]

    def __str__(self) -> str:
        return f"{self.server}, {self.audience}: {self.last}"


class SignedDocument(models.Model):
    """The bytes that were signed, and by what.

    `audience` is `*` or a client's id; `sequence` rises in each (server, kind, audience). `signer_der` is the
    certificate of the key that signed, `chain` what leads from there to a root: DER certificates in base64. `digest` is
    the SHA-256, hex, of what the document says without its sequence and times: it tells whether a new one is needed.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=DocumentKind.choices)
    audience = models.CharField(max_length=36, default=EVERYONE)
    sequence = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    payload = models.BinaryField()
    signature = models.BinaryField()
    signer_der = models.BinaryField()
    chain = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["server", "kind", "audience", "-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["server", "kind", "audience", "sequence"], name="document_sequence_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.sequence} for {self.audience}"
