"""Root keys, and the counter that names them."""

from typing import Self

from django.db import models
from django.db.models import Q, TextChoices

from console.lib.subject import Subject
from console.servers.models import Server
from keys.models.keypair import KeyPair, placed


class RootState(TextChoices):
    """See docs/design.md §5.

    “Scheduled for revocation” is an active root with an open job; destruction is `destroyed_at`.
    """

    REQUESTED = "requested", "Requested"
    CREATING = "creating", "Being created"
    UNKNOWN = "unknown", "Outcome unknown"
    ACTIVE = "active", "Active"
    REVOKED = "revoked", "Revoked"
    FAILED = "failed", "Failed"


UNSETTLED = (RootState.REQUESTED, RootState.CREATING, RootState.UNKNOWN)
# An unknown outcome does not stand in the way of another key: its token may be away for long.
IN_FLIGHT = (RootState.REQUESTED, RootState.CREATING)


class RootKind(TextChoices):
    """A numbered root of a server, or the one key for Client 7.2."""

    ROOT = "root", "Platform servers and Client 7.4 or later"
    LEGACY = "legacy-root", "Client 7.2"


class RevocationReason(TextChoices):
    """Why a root is revoked (KEY-41)."""

    POLICY = "policy", "Periodic rotation (policy)"
    MIGRATION = "migration", "The keys move to another store"
    DOUBT = "doubt", "The security of the key is in doubt"
    COMPROMISED = "compromised", "The private key is compromised"


class RootCounter(models.Model):
    """One row for each server: the next number, and the lock under which a server's roots change.

    `making_job` is the job that makes subordinate keys: one at a time, so that none takes over a key that another is
    still making.
    """

    server = models.OneToOneField(Server, on_delete=models.PROTECT, primary_key=True, related_name="+")
    next_number = models.PositiveIntegerField(default=0)
    making_job = models.UUIDField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.server} next Root {self.next_number}"

    @classmethod
    def lock(cls, server: Server) -> Self:
        """Return the server's row, made on first call, and locked until the transaction ends."""
        cls.objects.get_or_create(server=server)
        return cls.objects.select_for_update().get(server=server)

    def take_number(self) -> int:
        """Return the next number and count on; call it on a locked row only."""
        number = self.next_number
        self.next_number = number + 1
        self.save(update_fields=["next_number"])
        return number


class RootQuerySet(models.QuerySet["Root"]):
    """Selections that more than one place needs."""

    def active(self, server: Server) -> "RootQuerySet":
        """Return the active roots of a server, legacy-root included."""
        return self.filter(server=server, state=RootState.ACTIVE)

    def numbered(self, server: Server) -> "RootQuerySet":
        """Return the active roots of a server, newest first, without legacy-root."""
        return self.active(server).filter(kind=RootKind.ROOT).order_by("-number")


class Root(KeyPair):
    """A root key pair. `in_doubt`: asked for because older roots are in doubt, so it is not cross-certified."""

    kind = models.CharField(max_length=11, choices=RootKind.choices, default=RootKind.ROOT)
    number = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=9, choices=RootState.choices, default=RootState.REQUESTED)
    in_doubt = models.BooleanField(default=False)
    form_token = models.UUIDField(null=True, blank=True, unique=True)
    requested_by = models.CharField(max_length=150)
    requested_by_id = models.CharField(max_length=64, blank=True)
    revocation_reason = models.CharField(max_length=11, choices=RevocationReason.choices, blank=True)
    revocation_note = models.TextField(blank=True)

    objects = RootQuerySet.as_manager()

    class Meta:
        ordering = ["server", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["server", "number"], name="root_number_once"),
            models.UniqueConstraint(
                fields=["server"],
                condition=Q(kind=RootKind.ROOT, state__in=[str(state) for state in IN_FLIGHT]),
                name="one_root_creation_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["server"],
                condition=Q(kind=RootKind.LEGACY) & ~Q(state=RootState.FAILED),
                name="one_legacy_root",
            ),
            models.CheckConstraint(
                condition=Q(kind=RootKind.ROOT, number__isnull=False) | Q(kind=RootKind.LEGACY, number__isnull=True),
                name="root_numbered_by_kind",
            ),
            models.CheckConstraint(
                condition=~Q(state=RootState.ACTIVE)
                | (Q(fingerprint__isnull=False, activated_at__isnull=False) & ~Q(certificate_der=b"") & ~Q(store="")),
                name="active_root_complete",
            ),
            models.CheckConstraint(
                condition=~Q(state=RootState.REVOKED) | (Q(revoked_at__isnull=False) & ~Q(revocation_reason="")),
                name="revoked_root_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(kind=RootKind.LEGACY, state=RootState.REVOKED), name="legacy_root_never_revoked"
            ),
            models.CheckConstraint(condition=placed(), name="root_binding_by_store"),
        ]
        indexes = [models.Index(fields=["server", "state"])]

    @property
    def is_legacy(self) -> bool:
        """Whether this is the root for Client 7.2."""
        return self.kind == RootKind.LEGACY

    @property
    def is_active(self) -> bool:
        """Whether this root is in use."""
        return self.state == RootState.ACTIVE

    @property
    def short_name(self) -> str:
        """The name without the server: `Root 1`, `legacy-root`."""
        return self.name if self.number is None else f"Root {self.number}"

    @property
    def subject(self) -> Subject:
        """The root as the subject of an entry or a job."""
        return Subject("root-key", str(self.id), self.name)
