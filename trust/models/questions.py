"""Questions to clients, and what they answered (AMB-03)."""

import uuid

from django.db import models
from django.db.models import TextChoices

from console.lib.subject import Subject
from console.servers.models import Server
from trust.models.clients import Client
from trust.models.documents import SignedDocument


class QuestionKind(TextChoices):
    """What can be asked. The values are those of `trust.wire.messages.Asked`."""

    COMPUTER_NAME = "computer-name", "Computer Name"
    CLIENT_VERSION = "client-version", "Client Version"
    USING_TLS = "using-tls", "Using TLS"
    ROOT_KEYS_HELD = "root-keys-held", "Root Keys Held"


class Question(models.Model):
    """A question waits for its signature (`document` is null), is open until `closes_at`, and stays readable."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=14, choices=QuestionKind.choices)
    asked_by = models.CharField(max_length=150)
    asked_by_id = models.CharField(max_length=64, blank=True)
    asked_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    document = models.OneToOneField(SignedDocument, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-asked_at"]

    def __str__(self) -> str:
        return self.get_kind_display()

    @property
    def subject(self) -> Subject:
        """The question as the subject of an entry or a job."""
        return Subject("question", str(self.id), str(self))


class Answer(models.Model):
    """What one client answered, once. `failed`: it could not verify the question; `value` says why."""

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="answers")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    failed = models.BooleanField(default=False)
    value = models.CharField(max_length=1000)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["question", "client"], name="one_answer_each")]
        indexes = [models.Index(fields=["question", "-id"])]

    def __str__(self) -> str:
        return f"{self.client}: {self.value}"
