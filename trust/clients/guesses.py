"""Wrong enrolment credentials: counted by address and by credential, in windows of 15 minutes, for all processes.

Rows, so that every process of every host knows the same; a right credential costs no write and is never limited, and
what is refused by the limit costs none either.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F

from console.activity import log
from console.activity.models import Outcome
from console.lib.actor import Actor
from console.lib.subject import Subject
from serving.sites import site
from trust.actions import Action
from trust.models.credentials import Credential
from trust.models.guesses import WrongCredential

WINDOW = timedelta(minutes=15)
MOST_OF_ADDRESS = 20
MOST_OF_CREDENTIAL = 100
KEPT = timedelta(days=1)
origin = site
"""What an address is counted as."""


@dataclass(frozen=True)
class Guesses:
    """The wrong tries of this window: of this address, and of this credential from everywhere."""

    of_address: int
    of_credential: int

    @property
    def are_too_many(self) -> bool:
        """Whether a wrong try is neither counted nor written any more."""
        if self.of_address >= MOST_OF_ADDRESS:
            return True
        return self.of_address > 0 and self.of_credential >= MOST_OF_CREDENTIAL


def window(now: datetime) -> datetime:
    """Return when the window began."""
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(WINDOW.total_seconds()), UTC)


def seconds_left(now: datetime) -> int:
    """Return when to try again."""
    return int((window(now) + WINDOW - now).total_seconds()) + 1


def count(credential: Credential | None, address: str, why: str, now: datetime) -> bool:
    """Count one wrong try; return whether it is the first of this address and credential in this window.

    The first one is in the activity log, the others are not.
    """
    tried = str(credential.pk) if credential else ""
    with transaction.atomic():
        found, is_first = WrongCredential.objects.get_or_create(
            address=origin(address), credential=tried, window=window(now)
        )
        if not is_first:
            WrongCredential.objects.filter(pk=found.pk).update(tries=F("tries") + 1)
            return False
        WrongCredential.objects.filter(window__lt=now - KEPT).delete()
        subject = credential.subject if credential else Subject("enrolment-credential", "", "Unknown credential")
        details = {"address": address, "why": why}
        log.append(
            Action.CREDENTIAL_REFUSED, subject, actor=Actor.system("listener"), outcome=Outcome.REFUSED, details=details
        )
    return True
