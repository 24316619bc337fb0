"""Groups: where security objects live, who may use them, and how their HSM is reached."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q, TextChoices

from console.lib.subject import Subject
from console.servers.models import Server
from hsm.models.tokens import LABEL_LENGTH, SERIAL_LENGTH, SLOT_DIGITS

GATEWAY_PORT = 4442  # GRP-06, DMN-04


class GroupKind(TextChoices):
    """Where the key material of a group is (AMB-17)."""

    SOFTWARE = "software", "Software group"
    HSM = "hsm", "HSM group"


class HsmType(TextChoices):
    """The drop-down HSM Type (GRP-04, AMB-15)."""

    NCIPHER = "ncipher", "nCipher HSM"
    LUNA = "luna", "SafeNet Luna"
    AWS = "aws", "AWS CloudHSM"
    SOFTHSM2 = "softhsm2", "SoftHSM2 (development)"
    OTHER = "other", "Other PKCS#11"


class Policy(TextChoices):
    """The Key Management Policy (POL-03, POL-04): what a change of a virtual key does to the HSM."""

    KEEP = (
        "do-not-apply",
        "Do not apply changes performed on virtual keys in Keystead to corresponding keys in HSM",
    )
    APPLY = "apply", "Apply changes performed on virtual keys in Keystead to corresponding keys in HSM"


class Scan(TextChoices):
    """Key Scan (POL-15, POL-17): which keys a sync imports."""

    ALL = "all", "Applicable for all keys in HSM slot"
    OWN = "own", "Applicable only to keys created from Keystead group in HSM slot"


class Trust(TextChoices):
    """What a gateway's certificate is checked against (GRP-12)."""

    GLOBAL = "global", "Global Root CA"
    CUSTOM = "custom", "Custom CA Certificate"


class Group(models.Model):
    """A group of security objects; it belongs to the server whose worker reaches its HSM.

    `ca_pem` and `client_cert_pem` are PEM text, `sealed_client_key` opens in the worker with purpose
    "group-client-key" and this row's id. A deleted group stays for its name in the log.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="groups")
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)
    kind = models.CharField(max_length=8, choices=GroupKind.choices)
    hsm_type = models.CharField(max_length=8, choices=HsmType.choices, blank=True)
    policy = models.CharField(max_length=12, choices=Policy.choices, default=Policy.KEEP)
    scan = models.CharField(max_length=3, choices=Scan.choices, default=Scan.ALL)
    trust = models.CharField(max_length=6, choices=Trust.choices, default=Trust.GLOBAL)
    ca_pem = models.TextField(blank=True)
    client_cert_pem = models.TextField(blank=True)
    sealed_client_key = models.BinaryField(null=True)
    validate_host = models.BooleanField(default=True)
    sync_every_h = models.PositiveSmallIntegerField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True)
    # Of the last whole listing, to see at once that nothing has changed since (`hsm.device.objects.Listing.digest`).
    synced_digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "title"], condition=Q(deleted_at__isnull=True), name="one_group_of_a_title"
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def subject(self) -> Subject:
        """The group as the subject of an entry or a job."""
        return Subject("group", str(self.id), self.title)

    @property
    def is_hsm(self) -> bool:
        """Whether its keys are virtual: pointers to keys in an HSM."""
        return self.kind == GroupKind.HSM


class ConnectionKind(TextChoices):
    """How a slot is reached (AMB-42)."""

    GATEWAY = "gateway", "HSM gateway"
    MODULE = "module", "PKCS#11 module on this server"


class ConnectionState(TextChoices):
    """What the last test, health check or operation found. The words are those of GRP-19 and GRP-20."""

    UNTESTED = "untested", "Not tested yet"
    CONNECTED = "connected", "Connected"
    NOT_CONNECTED = "not-connected", "Not Connected"


class Connection(models.Model):
    """One way to a group's HSM; the first one that works serves. Addresses may be wrong or incomplete (GRP-21).

    `slot` is a CK_SLOT_ID in decimal, or empty. `label` and `serial` are of the token that a test found first; a slot
    number that moved is found again by them. `sealed_pin` opens in the worker with purpose "group-connection" and this
    row's id; `pin_version` changes with every entry of a PIN.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="connections")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=7, choices=ConnectionKind.choices, default=ConnectionKind.GATEWAY)
    address = models.CharField(max_length=253, blank=True)
    port = models.PositiveIntegerField(default=GATEWAY_PORT)
    module_path = models.CharField(max_length=1024, blank=True)
    slot = models.CharField(max_length=SLOT_DIGITS, blank=True)
    sealed_pin = models.BinaryField(null=True)
    pin_version = models.CharField(max_length=60, blank=True)
    pin_entered_at = models.DateTimeField(null=True)
    # The version that the token or its gateway refused: it is not sent again (docs/design.md §4).
    pin_rejected_version = models.CharField(max_length=60, blank=True)
    label = models.CharField(max_length=LABEL_LENGTH, blank=True)
    serial = models.CharField(max_length=SERIAL_LENGTH, blank=True)
    manufacturer = models.CharField(max_length=32, blank=True)
    model = models.CharField(max_length=16, blank=True)
    firmware = models.CharField(max_length=20, blank=True)
    # The gateway asks for no client certificate (its CA_FILE is not set), so anybody who knows the PIN may use it.
    is_open = models.BooleanField(default=False)
    state = models.CharField(max_length=13, choices=ConnectionState.choices, default=ConnectionState.UNTESTED)
    state_since = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    latency_ms = models.FloatField(null=True)
    fault_code = models.CharField(max_length=60, blank=True)
    fault = models.TextField(blank=True)
    fault_next_step = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["position", "created_at", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The connection in words."""
        if self.kind == ConnectionKind.MODULE:
            return self.module_path or "module without a path"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host or 'no address'}:{self.port}"

    @property
    def subject(self) -> Subject:
        """The connection as the subject of an entry or a job."""
        return Subject("connection", str(self.id), f"{self.group.title}: {self.name}"[:255])


class GroupRole(TextChoices):
    """What a member of a group may do; Administrators and Auditors of the console need no membership."""

    ADMINISTRATOR = "administrator", "HSM administrator"
    MEMBER = "member", "Member"
    AUDITOR = "auditor", "Auditor"


class GroupMember(models.Model):
    """A user in a group (ROL-09)."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="group_memberships")
    role = models.CharField(max_length=13, choices=GroupRole.choices)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["user__username", "id"]
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="one_role_in_a_group")]

    def __str__(self) -> str:
        return f"{self.user} in {self.group}"
