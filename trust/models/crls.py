"""The revocation lists of intermediates: which of the certificates that they signed for clients count no more."""

from django.db import models

from keys.models.subordinate import Subordinate


class ClientCrl(models.Model):
    """The newest list of one intermediate. `number` rises with each (RFC 5280 §5.2.3).

    `key_identifier` is the intermediate's subjectKeyIdentifier in hex, by which its certificates name it: the address
    of the list.
    """

    issuer = models.OneToOneField(Subordinate, on_delete=models.PROTECT, related_name="client_crl")
    key_identifier = models.CharField(max_length=40, unique=True)
    number = models.PositiveBigIntegerField()
    crl_der = models.BinaryField()
    entries = models.PositiveIntegerField()
    signed_at = models.DateTimeField()
    next_update = models.DateTimeField()

    def __str__(self) -> str:
        return f"CRL {self.number} of {self.issuer}"
