"""A server of the deployment: one, or an active-active pair over one platform database (AMB-09)."""

import uuid

from django.db import models

from console.lib.subject import Subject


class Server(models.Model):
    """`fqdn` is in lower case; `sealing_public` the hex of the public half of its sealing pair."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    fqdn = models.CharField(max_length=253, unique=True)
    sealing_public = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.fqdn

    @property
    def queue(self) -> str:
        """The broker's queue that only this server's workers read."""
        return queue_name(self.fqdn)

    @property
    def subject(self) -> Subject:
        """The server as the subject of an entry or a job."""
        return Subject("server", str(self.id), self.fqdn)


def queue_name(fqdn: str) -> str:
    """Return the name of a server's queue."""
    return f"server.{fqdn}"
