"""Wrong enrolment credentials, counted by where they come from."""

from django.db import models


class WrongCredential(models.Model):
    """How often an address tried one credential in vain within one window (`trust.clients.guesses`).

    `address` is an IPv4 address or the /64 of an IPv6 address. `credential` is the id of a row, or empty for ids that
    do not exist: all those of one address share one row, so that made-up ids make no rows.
    """

    address = models.CharField(max_length=45)
    credential = models.CharField(max_length=36, blank=True)
    window = models.DateTimeField()
    tries = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "address", "credential"], name="wrong_credential_once")
        ]
        indexes = [models.Index(fields=["credential", "window"])]

    def __str__(self) -> str:
        return f"{self.tries} tries from {self.address}"
