"""Keys below a root: server TLS, message signing, the intermediate that signs clients' keys, and kinds to come."""

from django.db import models
from django.db.models import Q, TextChoices

from console.lib.subject import Subject
from console.servers.models import Server
from keys.models.keypair import KeyPair, placed
from keys.models.root import Root


class SubordinateState(TextChoices):
    """A retired key has been replaced; its certificate stays valid until it ends (ROT-03)."""

    CREATING = "creating", "Being created"
    UNKNOWN = "unknown", "Outcome unknown"
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"
    REVOKED = "revoked", "Revoked"
    FAILED = "failed", "Failed"


UNSETTLED = (SubordinateState.CREATING, SubordinateState.UNKNOWN)
IN_FLIGHT = (SubordinateState.CREATING,)
ISSUED = (SubordinateState.ACTIVE, SubordinateState.RETIRED, SubordinateState.REVOKED)


class SubordinateQuerySet(models.QuerySet["Subordinate"]):
    """Selections that more than one place needs."""

    def active(self, server: Server) -> "SubordinateQuerySet":
        """Return the keys in use that a server's roots signed."""
        return self.filter(server=server, state=SubordinateState.ACTIVE)


class Subordinate(KeyPair):
    """A key pair signed by a root. `purpose` is a value of keys.purposes.Purpose, `holder` who has the key.

    `serial` is the certificate's serial number in hex. `window_hours` is the renewal window it was issued with.
    `needed_until` is when the last certificate that an intermediate issued expires (null: it issued none).
    """

    root = models.ForeignKey(Root, on_delete=models.PROTECT, related_name="subordinates")
    purpose = models.CharField(max_length=40)
    holder = models.CharField(max_length=253)
    state = models.CharField(max_length=9, choices=SubordinateState.choices, default=SubordinateState.CREATING)
    serial = models.CharField(max_length=40, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    window_hours = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)
    needed_until = models.DateTimeField(null=True, blank=True)

    objects = SubordinateQuerySet.as_manager()

    class Meta:
        ordering = ["server", "purpose", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "purpose", "holder"],
                condition=Q(state=SubordinateState.ACTIVE),
                name="one_active_subordinate",
            ),
            models.UniqueConstraint(
                fields=["server", "purpose", "holder"],
                condition=Q(state__in=[str(state) for state in IN_FLIGHT]),
                name="one_subordinate_creation_at_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[str(state) for state in ISSUED])
                | (Q(fingerprint__isnull=False, not_after__isnull=False) & ~Q(certificate_der=b"") & ~Q(serial="")),
                name="issued_subordinate_complete",
            ),
            models.CheckConstraint(condition=placed(), name="subordinate_binding_by_store"),
        ]
        indexes = [models.Index(fields=["server", "state", "not_after"])]

    @property
    def subject(self) -> Subject:
        """The key as the subject of an entry or a job."""
        return Subject("subordinate-key", str(self.id), self.name)
