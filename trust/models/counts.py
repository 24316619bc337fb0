"""Numbers of clients, counted by a job: no page counts a million rows."""

from django.db import models

from console.servers.models import Server


class Count(models.Model):
    """One number of the last count, by name."""

    name = models.CharField(max_length=80, unique=True)
    value = models.BigIntegerField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class Adoption(models.Model):
    """How clients were registered on a day: the points of "TLS adoption over time"."""

    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    using_tls = models.BigIntegerField()
    unencrypted = models.BigIntegerField()

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["server", "day"], name="adoption_once_a_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.using_tls} with TLS"
