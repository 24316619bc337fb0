"""Whether an enrolment credential is right, and still counts. Pure but for counting the wrong ones."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from console.lib.errors import RefusedError
from trust.clients import guesses
from trust.clients.lookup import Found
from trust.errors import TooManyGuessesError, UnidentifiedError
from trust.models.credentials import Credential

NOBODY = UUID(int=0)
"""Stands for an id that is none: looked up all the same, so that it takes the same time."""


@dataclass(frozen=True)
class Presented:
    """User name and password of HTTP Basic (RFC 7617): the credential's id, and the secret as in the init file."""

    id: UUID
    secret: str = field(repr=False)


def digest(secret: str) -> str:
    """Return what is stored of a secret: SHA-256 of its text, hex."""
    return sha256(secret.encode()).hexdigest()


def check_secret(presented: Presented, found: Found, address: str, now: datetime) -> None:
    """Raise UnidentifiedError unless the secret is right, TooManyGuessesError for one wrong try too many.

    Who has the right one is never kept waiting: a neighbour behind the same address could shut a whole site out. The
    limit is for the database and the log; 256 random bits are guessed by nobody, however often.
    """
    # A credential whose secret is still to be made has an empty digest: nothing equals that.
    if hmac.compare_digest(digest(presented.secret), found.secret_sha256):
        return
    if found.guesses.are_too_many:
        wait = guesses.seconds_left(now)
        raise TooManyGuessesError("Too many wrong enrolment credentials came from here.", retry_after_s=wait)
    credential = Credential.objects.filter(pk=presented.id).first()
    why = "unknown credential" if credential is None else "wrong secret"
    is_first = guesses.count(credential, address, why, now)
    raise UnidentifiedError("This enrolment credential is not right.", code="wrong-credential", is_told=is_first)


def check_validity(found: Found) -> None:
    """Raise RefusedError for a credential that no longer counts; whether it is used up matters to new names only."""
    if found.is_withdrawn:
        raise RefusedError("This enrolment credential was withdrawn.", code="credential-withdrawn")
    if found.is_expired:
        raise RefusedError("This enrolment credential has expired.", code="credential-expired")


def check_uses(found: Found) -> None:
    """Raise RefusedError for a credential that has enrolled as many names as it may."""
    if found.is_exhausted:
        raise RefusedError(
            "This enrolment credential has enrolled as many clients as it may.",
            code="credential-exhausted",
            next_step="Use a newer infrastructure file.",
        )
