"""What opens the key store of a server, as the worker last saw it: the web process cannot look for itself."""

from django.db import models
from django.db.models import TextChoices

from console.lib.subject import Subject
from console.servers.models import Server


class Protection(TextChoices):
    """What wraps the data key of pki.db; the values are those of `hsm.device.envelopes.SlotKind`."""

    SEALING = "sealing", "Wrapped by the server's sealing key"
    PASSWORD = "password", "Encrypted by PKIDatabasePassword"


class KeyStore(models.Model):
    """One row for each server whose pki.db was made: without it a missing file is new, with it the file is lost.

    `password_version` names the entered value that opens the file (`settings_store.values.SealedValue.version`),
    empty for the sealing key; `target_version` the one that a change under way leads to, None when there is none.
    `problem` is why the last change stopped.
    """

    server = models.OneToOneField(Server, on_delete=models.PROTECT, primary_key=True, related_name="key_store")
    protection = models.CharField(max_length=8, choices=Protection.choices)
    password_version = models.CharField(max_length=60, blank=True)
    target_version = models.CharField(max_length=60, null=True, blank=True)  # noqa: DJ001 - empty is the sealing key
    problem = models.TextField(blank=True)
    problem_code = models.CharField(max_length=80, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(protection=Protection.PASSWORD)
                | models.Q(protection=Protection.SEALING, password_version=""),
                name="sealing_key_has_no_password_version",
            )
        ]

    def __str__(self) -> str:
        return f"pki.db of {self.server}"

    @property
    def subject(self) -> Subject:
        """The key store as the subject of an entry."""
        return Subject("key-store", str(self.server_id), str(self))
