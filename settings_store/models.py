"""Rows of Advanced Settings. A pre-set setting has a row only while it differs from its default."""

import uuid

from django.db import models
from django.db.models import Q, TextChoices

from console.lib.secret import PROTECTED
from console.lib.subject import Subject
from console.servers.models import Server
from settings_store import catalogue

NAME_LENGTH = 56  # `Global:` and the name are the 64 characters that name a subject


class Scope(TextChoices):
    """Local rows belong to one server; a Global row holds for all."""

    LOCAL = catalogue.Scope.LOCAL.value, "Local"
    GLOBAL = catalogue.Scope.GLOBAL.value, "Global"


class ValueType(TextChoices):
    """Protected rows have no `value`: theirs is `sealed`."""

    TEXT = catalogue.ValueType.TEXT.value, "Text"
    NUMERIC = catalogue.ValueType.NUMERIC.value, "Numeric"
    PROTECTED = catalogue.ValueType.PROTECTED.value, "Protected"


class Setting(models.Model):
    """One stored value. `value` is text as shown, decimal for a number; `sealed` opens in the worker only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=6, choices=Scope.choices)
    server = models.ForeignKey(Server, null=True, on_delete=models.PROTECT, related_name="settings")
    name = models.CharField(max_length=NAME_LENGTH)
    value_type = models.CharField(max_length=9, choices=ValueType.choices)
    value = models.TextField(blank=True)
    sealed = models.BinaryField(null=True)
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["name", "scope"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=Q(scope="Global"), name="setting_once_globally"),
            models.UniqueConstraint(
                fields=["name", "server"], condition=Q(scope="Local"), name="setting_once_on_a_server"
            ),
            models.CheckConstraint(
                condition=Q(scope="Local", server__isnull=False) | Q(scope="Global", server__isnull=True),
                name="local_setting_has_server",
            ),
            models.CheckConstraint(
                condition=Q(value_type="Protected", sealed__isnull=False, value="", scope="Local")
                | (~Q(value_type="Protected") & Q(sealed__isnull=True)),
                name="protected_setting_is_sealed",
            ),
        ]

    def __str__(self) -> str:
        return key(self.scope, self.name)

    @property
    def shown(self) -> str:
        """The value as it may be shown."""
        return PROTECTED if self.value_type == ValueType.PROTECTED else self.value

    @property
    def token(self) -> str:
        """What a form must send back to prove that it saw this version of this row."""
        return f"{self.id}.{self.version}"

    @property
    def subject(self) -> Subject:
        """The setting as the subject of an entry or a job."""
        return Subject("setting", key(self.scope, self.name), self.name)


class FormerValue(models.Model):
    """A sealed value that was replaced or deleted and that a job still needs (the old password of pki.db).

    It opens with the id of the setting it came from.
    """

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    setting_id = models.UUIDField()
    version = models.PositiveIntegerField()
    sealed = models.BinaryField()
    entered_at = models.DateTimeField()
    replaced_at = models.DateTimeField()

    class Meta:
        ordering = ["-replaced_at", "-id"]

    def __str__(self) -> str:
        return f"former {self.name}"


def key(scope: str, name: str) -> str:
    """Return what names a setting of this server in a URL and in the log: `Local:HSMModulePath`."""
    return f"{scope}:{name}"
