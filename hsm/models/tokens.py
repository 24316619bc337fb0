"""Tokens as the console knows them. No row holds a PIN in clear, and no row holds a key."""

import uuid

from django.db import models
from django.db.models import Q, TextChoices

from console.lib.subject import Subject
from console.servers.models import Server

LABEL_LENGTH = 32  # CK_TOKEN_INFO: 32 bytes, padded with spaces
SERIAL_LENGTH = 16
SLOT_DIGITS = 20  # CK_ULONG of 64 bits, in decimal


class TokenIdentity(models.Model):
    """What tells tokens apart (docs/hsm.md §7): the real path of the module, the label, the serial number."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    module_path = models.CharField(max_length=1024)
    label = models.CharField(max_length=LABEL_LENGTH)
    serial = models.CharField(max_length=SERIAL_LENGTH, blank=True)

    class Meta:
        abstract = True

    @property
    def name(self) -> str:
        """The token in words."""
        return f"{self.label} (serial {self.serial})" if self.serial else self.label


class TokenBinding(TokenIdentity):
    """How to reach the keys on one token; a key on a token points here, so that it outlives the settings.

    `sealed_pin` opens in the worker, with this row's id. `pin_version` names the entered value that was last
    accepted and copied here; a newer value in the settings of this token is followed at the next opening. `slot_id`
    is where the token was last seen, decimal. A forgotten binding has no PIN and opens nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slot_id = models.CharField(max_length=SLOT_DIGITS, blank=True)
    manufacturer = models.CharField(max_length=32, blank=True)
    model = models.CharField(max_length=16, blank=True)
    sealed_pin = models.BinaryField(null=True)
    pin_version = models.CharField(max_length=60, blank=True)
    pin_accepted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    forgotten_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["label", "created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "module_path", "label", "serial"],
                condition=Q(forgotten_at__isnull=True),
                name="one_binding_for_a_token",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> Subject:
        """The binding as the subject of an entry or a job."""
        return Subject("binding", str(self.id), self.name)


class PinState(TextChoices):
    """What is known about an entered PIN on a token."""

    TRYING = "trying", "Being tried"
    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"


class PinTrial(models.Model):
    """One entered PIN on one token: claimed before each attempt, and never tried again once it was rejected.

    `pin_mark` is a keyed digest (worker's key) that shows when two entries hold the same PIN, so that a value that
    was rejected under one setting is not tried under the other. `interrupted` counts attempts without an answer.
    """

    module_path = models.CharField(max_length=1024)
    label = models.CharField(max_length=LABEL_LENGTH)
    serial = models.CharField(max_length=SERIAL_LENGTH, blank=True)
    pin_version = models.CharField(max_length=60)
    pin_mark = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=PinState.choices)
    claimed_at = models.DateTimeField()
    interrupted = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["module_path", "label", "serial", "pin_version"], name="one_trial_for_a_pin"
            )
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.state}"


class SeenToken(TokenIdentity):
    """A token that the module showed when it was last asked; `asked_path` is how the setting spelled its path.

    The rows of a server are replaced as a whole.
    """

    asked_path = models.CharField(max_length=1024)
    slot_id = models.CharField(max_length=SLOT_DIGITS)
    manufacturer = models.CharField(max_length=32, blank=True)
    model = models.CharField(max_length=16, blank=True)
    firmware = models.CharField(max_length=20, blank=True)
    flags = models.JSONField(default=list)
    initialized = models.BooleanField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-initialized", "label", "id"]

    def __str__(self) -> str:
        return f"{self.label} in slot {self.slot_id}"

    @property
    def slot_hex(self) -> str:
        """The slot number as vendors' tools print it."""
        return hex(int(self.slot_id))


class TokenCapability(TokenIdentity):
    """What a token can do: what it advertises, and what the self-test proved. Advertised is not working."""

    mechanisms = models.JSONField(default=list)
    specs = models.JSONField(default=list)
    schemes = models.JSONField(default=list)
    self_test = models.JSONField(default=list)
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["server", "module_path", "label", "serial"], name="one_record_for_a_token")
        ]

    def __str__(self) -> str:
        return f"capabilities of {self.label}"
