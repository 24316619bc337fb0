"""Who would have no other way back if an enrolment credential were withdrawn.

A client that holds a key which was certified proves that key, and needs no credential. Left are those that wait to be
let in again with this file, and those that never registered with what they were issued: it may never have reached them,
and who lost key or request as well has to be let in again, which takes a credential that still enrols.
"""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from console.lib.digest import canonical_json, sha256_hex
from console.lib.errors import ConflictError
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, ClientState
from trust.models.credentials import Credential

SHOWN = 50
BY_CREDENTIAL = (Ground.CREDENTIAL, Ground.ALLOWED)


class ChangedError(ConflictError):
    """Who depends on a credential has changed since the dialog was opened; nothing was withdrawn."""


@dataclass(frozen=True)
class Stranded:
    """Names, the first `SHOWN` of each kind, and how many there are of each."""

    waiting: tuple[str, ...]
    waiting_count: int
    unheard: tuple[str, ...]
    unheard_count: int

    @property
    def count(self) -> int:
        """How many clients; one that is of both kinds counts twice."""
        return self.waiting_count + self.unheard_count

    @property
    def digest(self) -> str:
        """A digest that changes when names or numbers do; the dialog sends it back."""
        parts = [self.waiting, self.waiting_count, self.unheard, self.unheard_count]
        return sha256_hex(canonical_json(parts))


def stranded(credential: Credential) -> Stranded:
    """Return who would have no other way back without this credential."""
    active = Client.objects.filter(state=ClientState.ACTIVE).order_by("name")
    waiting = active.filter(pending__credential=credential).distinct()
    issued = Certificate.objects.filter(client=OuterRef("pk"), ground__in=BY_CREDENTIAL)
    renewed = Certificate.objects.filter(client=OuterRef("client"), id__gt=OuterRef("id")).exclude(
        ground__in=BY_CREDENTIAL
    )
    unheard = active.filter(
        Exists(issued.filter(~Exists(renewed), issued_at__gt=OuterRef("last_seen"))), credential=credential
    )
    return Stranded(
        tuple(waiting.values_list("name", flat=True)[:SHOWN]),
        waiting.count(),
        tuple(unheard.values_list("name", flat=True)[:SHOWN]),
        unheard.count(),
    )
