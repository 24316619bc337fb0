"""Clients: one row for each name that proved a key, and one for each name that registered without proof."""

import uuid
from datetime import UTC, datetime

from django.db import models
from django.db.models import TextChoices

from console.lib.prefix import ByteOrderedField
from console.lib.subject import Subject
from console.servers.models import Server
from keys.models.root import Root
from trust.models.credentials import Credential

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands in sorted columns for "not yet": a column that may be empty cannot be paged by its value on every database."""


SORTED = ("name", "last_seen", "certificate_until")
"""The columns that Client Status can be sorted by."""


class ClientState(TextChoices):
    """A revoked client is refused for good, whatever it can prove."""

    ACTIVE = "active", "Active"
    REVOKED = "revoked", "Revoked"


class Protocol(models.IntegerChoices):
    """The protocols of Client 7.2 and of Client 7.4 or later."""

    P314 = 314, "314 (Client 7.2)"
    P315 = 315, "315 (Client 7.4 or later)"


# What stands out among clients; each has indexes of its rows alone, and is a filter of Client Status.
MARKS = {
    "unproven": models.Q(authenticated=False),
    "revoked": models.Q(revoked_at__isnull=False),
}


class RootSet(models.Model):
    """A set of root keys that clients say they hold. Few sets stand for a million clients.

    `digest` is the SHA-256, hex, of the sorted fingerprints (hex) joined by line breaks.
    """

    digest = models.CharField(max_length=64, unique=True)
    fingerprints = models.JSONField()

    def __str__(self) -> str:
        return f"{len(self.fingerprints)} roots"


class Client(models.Model):
    """What is known of a client.

    `authenticated`: it proved a key that this console certified. Whatever registers without that (Client 7.2, or a
    registration without TLS) has a row of its own, so that it never changes the row of one that proves who it is.
    `counter` is the highest counter of its registrations; a lower one is a replay. `last_seen` is written at most every
    five minutes; `back_at` is the first registration after a silence of more than `trust.clients.status.CONNECTED`.
    `root` is the root above its current certificate, `certificate_until` that certificate's end.
    `own_sequence` is the highest sequence of a document signed for this client alone. `reenrol_until`: until then, and
    once, it may enrol without proof of its last key, with the key of fingerprint `reenrol_key`; when that is empty,
    with whichever comes first. `credential` is what it first enrolled with.

    Each registration writes `last_seen`, and PostgreSQL then writes every index of the row: there are as few as let
    Client Status search each choice of its filters in each of its orders (`trust.clients.listing`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = ByteOrderedField(max_length=253)
    authenticated = models.BooleanField()
    state = models.CharField(max_length=7, choices=ClientState.choices, default=ClientState.ACTIVE)
    protocol = models.PositiveSmallIntegerField(choices=Protocol.choices)
    version = models.CharField(max_length=40, blank=True)
    using_tls = models.BooleanField(default=False)
    tls_mode = models.PositiveSmallIntegerField(default=1)
    registered_with = models.CharField(max_length=253, blank=True)
    address = ByteOrderedField(max_length=45, blank=True)
    counter = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    last_seen = models.DateTimeField(default=NEVER)
    back_at = models.DateTimeField(default=NEVER)
    root = models.ForeignKey(Root, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    certificate_until = models.DateTimeField(default=NEVER)
    holding = models.ForeignKey(RootSet, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    own_sequence = models.PositiveIntegerField(default=0)
    reenrol_until = models.DateTimeField(null=True, blank=True)
    reenrol_key = models.CharField(max_length=64, blank=True)
    credential = models.ForeignKey(
        # Its index is the one below, in the order in which the page of a credential shows them.
        Credential,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="clients",
        db_index=False,
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "authenticated"], name="client_name_once"),
            models.CheckConstraint(
                condition=~models.Q(state=ClientState.REVOKED) | models.Q(revoked_at__isnull=False),
                name="revoked_client_says_when",
            ),
        ]
        indexes = [
            models.Index(fields=["address"]),
            models.Index(fields=["credential", "-created_at", "-id"], name="client_by_credential"),
            *(models.Index(fields=["using_tls", "protocol", column, "id"]) for column in SORTED),
            *(models.Index(fields=["root", "using_tls", "protocol", column, "id"]) for column in SORTED),
            *(
                models.Index(
                    fields=["using_tls", "protocol", column, "id"],
                    condition=condition,
                    name=f"client_{mark}_{column[:9]}",
                )
                for mark, condition in MARKS.items()
                for column in SORTED
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> Subject:
        """The client as the subject of an entry or a job."""
        return Subject("client", str(self.id), self.name)


class PendingEnrolment(models.Model):
    """Someone asks for a certificate for a known name and cannot prove its last key: it waits for an administrator.

    `spki_fingerprint` is the key it wants certified; each try is counted, none makes a second row for the same key.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="pending")
    spki_fingerprint = models.CharField(max_length=64)
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    address = models.CharField(max_length=45, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint(fields=["client", "spki_fingerprint"], name="pending_once")]

    def __str__(self) -> str:
        return f"{self.client} asks again"


class RegistrationChange(models.Model):
    """A registration that told something new: the first one, or another TLS use, version, server, address or roots."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField()
    using_tls = models.BooleanField()
    protocol = models.PositiveSmallIntegerField(choices=Protocol.choices)
    version = models.CharField(max_length=40, blank=True)
    registered_with = models.CharField(max_length=253, blank=True)
    address = models.CharField(max_length=45, blank=True)
    holding = models.ForeignKey(RootSet, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["client", "-at"])]

    def __str__(self) -> str:
        return f"{self.client} at {self.at:%Y-%m-%d %H:%M}"
