"""What is entered for a connection or a group and not in force yet: a form under test, a client certificate unchecked.

The secrets in both are sealed for the row that they may end in, so that taking them over opens nothing.
"""

import uuid

from django.db import models

from console.jobs.models import Job
from console.servers.models import Server
from hsm.models.groups import Group


class ConnectionDraft(models.Model):
    """A form that was tested before it was saved; it is deleted when it is saved, or after 15 minutes.

    `group_ref` and `connection_ref` are the ids of the rows that exist or would be made. `fields` is what was typed,
    without secrets. `asked_by` is the id of the user, who alone may save it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    asked_by = models.CharField(max_length=64)
    group_ref = models.UUIDField(default=uuid.uuid4)
    connection_ref = models.UUIDField(default=uuid.uuid4)
    fields = models.JSONField(default=dict)
    sealed_pin = models.BinaryField(null=True)
    pin_version = models.CharField(max_length=60, blank=True)
    pin_entered_at = models.DateTimeField(null=True)
    pin_rejected_version = models.CharField(max_length=60, blank=True)
    sealed_client_key = models.BinaryField(null=True)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"])]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class StagedClientPair(models.Model):
    """A client certificate and key that the worker has not compared yet, or has refused (GRP-16).

    `sealed_key` opens with purpose "group-client-key" and the group's id; it is erased by a refusal, whose reason stays
    in `problem` until the form is sent again.
    """

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="staged_pair")
    cert_pem = models.TextField()
    sealed_key = models.BinaryField(null=True)
    problem = models.TextField(blank=True)
    entered_at = models.DateTimeField()
    entered_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return f"client certificate for {self.group}"
