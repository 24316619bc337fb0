"""Security objects: keys of software groups, and virtual keys, which point to a key in an HSM and hold no material."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet, TextChoices
from django.db.models.functions import Lower

from console.jobs.models import Job
from console.lib.subject import Subject
from hsm.models.groups import Group
from hsm.models.tokens import LABEL_LENGTH, SERIAL_LENGTH

KEY_ID_HEX = 2 * 255
NAME_LENGTH = 255


class Family(TextChoices):
    """Class family of a key; the values are those of `hsm.device.objects.KeyFamily`."""

    KEY_PAIR = "key-pair", "Key pair"
    SECRET_KEY = "secret-key", "Secret key"


class ObjectState(TextChoices):
    """How far a key has come. Deactivated, rotated and missing are times of their own beside it."""

    INCOMING = "incoming", "Being taken over"  # written by a sync that has not ended: nobody else sees the row
    REQUESTED = "requested", "Requested"
    CREATING = "creating", "Being created"
    UNKNOWN = "unknown", "Outcome unknown"
    ACTIVE = "active", "Active"
    DESTROYING = "destroying", "Being deleted"
    FAILED = "failed", "Failed"


UNSETTLED = (ObjectState.REQUESTED, ObjectState.CREATING, ObjectState.UNKNOWN)
USABLE = (ObjectState.ACTIVE,)


class Origin(TextChoices):
    """How the console came to know the key."""

    GENERATED = "generated", "Generated"
    IMPORTED = "imported", "Imported"
    FOUND = "found", "Found in the HSM"


# What stands out in a long list; each has an index of its rows, and is a filter on the page of all objects.
MARKS = {
    "deactivated": Q(deactivated_at__isnull=False),
    "rotated": Q(rotated_at__isnull=False),
    "missing": Q(missing_since__isnull=False),
    "out_of_step": Q(out_of_step=True),
    "unsettled": ~Q(state=ObjectState.ACTIVE),
}


class SettledManager(models.Manager["SecurityObject"]):
    """Every object but those that a running sync has written ahead (`hsm.syncing.applying`)."""

    def get_queryset(self) -> "QuerySet[SecurityObject]":
        """Leave the incoming ones out."""
        return super().get_queryset().exclude(state=ObjectState.INCOMING)


class SecurityObject(models.Model):
    """A key of a group. `key_id` is the CKA_ID as lower-case hex, `spki_der` the public half (RFC 5280 §4.1.2.7).

    `operations` is what the console permits, a list of `hsm.device.objects.Operation` values in their order. What
    begins with `hsm_` is what the HSM said when it was last read, None or empty before that; `hsm_digest` is the
    digest of that record. `fingerprint` is SHA-256 of `spki_der`, hex; a secret key has none. `name_key` and
    `label_key` are for searches: the database keeps them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # No index of its own: two others begin with the group, and 10,000 rows of a sync pay for each.
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="security_objects", db_index=False)
    name = models.CharField(max_length=NAME_LENGTH)
    family = models.CharField(max_length=10, choices=Family.choices)
    spec = models.CharField(max_length=20, blank=True)  # a KeySpec; empty for a kind that the console does not make
    key_type = models.CharField(max_length=40)  # CKK_ name without its prefix, or 0x… for one without a name
    bits = models.PositiveIntegerField(null=True)
    key_id = models.CharField(max_length=KEY_ID_HEX)
    label = models.CharField(max_length=NAME_LENGTH, blank=True)  # CKA_LABEL
    spki_der = models.BinaryField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    operations = models.JSONField(default=list)
    origin = models.CharField(max_length=9, choices=Origin.choices)
    state = models.CharField(max_length=10, choices=ObjectState.choices)
    problem = models.TextField(blank=True)  # why it failed, or is unknown, or differs from the HSM
    problem_code = models.CharField(max_length=60, blank=True)
    out_of_step = models.BooleanField(default=False)  # the HSM refused an applied change (POL-13)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    attempt = models.PositiveIntegerField(default=0)  # the fence: an attempt that was given up writes nothing
    look_after = models.DateTimeField(null=True)  # when the reconciler may look at an unsettled one again
    deactivated_at = models.DateTimeField(null=True)
    rotated_at = models.DateTimeField(null=True)
    successor = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="predecessor"
    )
    private_removed_at = models.DateTimeField(null=True)  # from the virtual key (SOB-28)
    missing_since = models.DateTimeField(null=True)  # AMB-40
    hsm_label = models.CharField(max_length=NAME_LENGTH, blank=True)
    hsm_operations = models.JSONField(null=True)
    hsm_attributes = models.JSONField(default=dict)
    hsm_has_private = models.BooleanField(null=True)
    hsm_has_public = models.BooleanField(null=True)
    hsm_fingerprint = models.CharField(max_length=64, blank=True)
    hsm_digest = models.CharField(max_length=64, blank=True)
    hsm_seen_at = models.DateTimeField(null=True)
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=NAME_LENGTH), db_persist=True
    )
    label_key = models.GeneratedField(
        expression=Lower("label"), output_field=models.CharField(max_length=NAME_LENGTH), db_persist=True
    )

    objects: ClassVar[SettledManager] = SettledManager()
    every: ClassVar[models.Manager["SecurityObject"]] = models.Manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        default_manager_name = "objects"
        indexes = [
            # The grid of all objects: sorted by time or name, in all groups or in one.
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["name", "id"]),
            models.Index(fields=["group", "-created_at", "-id"]),
            models.Index(fields=["group", "name", "id"]),
            models.Index(fields=["spec", "-created_at", "-id"]),
            models.Index(fields=["state", "look_after"]),
            # Its searches begin at the beginning; PostgreSQL needs to be told that an index is for that.
            models.Index(fields=["name_key"], opclasses=["text_pattern_ops"], name="object_name_prefix"),
            models.Index(fields=["label_key"], opclasses=["text_pattern_ops"], name="object_label_prefix"),
            models.Index(fields=["key_id"], opclasses=["text_pattern_ops"], name="object_key_id_prefix"),
            models.Index(fields=["fingerprint"], opclasses=["text_pattern_ops"], name="object_fingerprint_prefix"),
            # Its marks: few rows have one.
            *(
                models.Index(fields=["-created_at", "-id"], condition=condition, name=f"object_{name}")
                for name, condition in MARKS.items()
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "family", "key_id"],
                condition=~Q(state__in=(ObjectState.FAILED, ObjectState.INCOMING)),
                name="one_object_of_a_key_id",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> Subject:
        """The object as the subject of an entry or a job."""
        return Subject("security-object", str(self.id), self.name)

    @property
    def cka_id(self) -> bytes:
        """The CKA_ID."""
        return bytes.fromhex(self.key_id)


class ObjectTag(models.Model):
    """A custom attribute (SOB-07)."""

    object = models.ForeignKey(SecurityObject, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=64)
    value = models.CharField(max_length=1024, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["object", "name"], name="one_tag_of_a_name")]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class Tombstone(models.Model):
    """A virtual key that was deleted while its key stays in the HSM: a sync skips it (AMB-38).

    With `wanted_at` it is to be imported again: the next sync does that, and takes the row away.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="tombstones")
    token_label = models.CharField(max_length=LABEL_LENGTH, blank=True)
    token_serial = models.CharField(max_length=SERIAL_LENGTH, blank=True)
    family = models.CharField(max_length=10, choices=Family.choices)
    key_id = models.CharField(max_length=KEY_ID_HEX)
    name = models.CharField(max_length=NAME_LENGTH)
    fingerprint = models.CharField(max_length=64, blank=True)
    origin = models.CharField(max_length=9, choices=Origin.choices, default=Origin.FOUND)
    deleted_at = models.DateTimeField()
    deleted_by = models.CharField(max_length=150)
    wanted_at = models.DateTimeField(null=True)
    wanted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-deleted_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["group", "token_serial", "family", "key_id"], name="one_tombstone_of_a_key")
        ]

    def __str__(self) -> str:
        return f"{self.name} (deleted)"


class KeyMaterial(models.Model):
    """What is to be imported, from the request until its job ends, whatever its end.

    Both values open in the worker, with purpose "import-material" and "import-passphrase" and the object's id.
    """

    object = models.OneToOneField(SecurityObject, on_delete=models.CASCADE, related_name="material")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()
    sealed_passphrase = models.BinaryField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"material for {self.object}"


class KeyUse(models.Model):
    """One use of a key from its page. Input and output are readable by the worker and by the asking browser only.

    `sealed_input` opens in the worker with purpose "key-use" and this row's id; it holds the data and a random key.
    `enclosed_output` is encrypted under that key, of which the browser has the only other copy, in a cookie.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    object = models.ForeignKey(SecurityObject, on_delete=models.CASCADE, related_name="uses")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="+")
    operation = models.CharField(max_length=8)
    scheme = models.CharField(max_length=30)
    sealed_input = models.BinaryField(null=True)
    enclosed_output = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.operation} with {self.object}"
