"""HTTP Basic of EST (RFC 7030 §3.2.3, RFC 7617): the id and the secret of an enrolment credential."""

import base64
import binascii
from uuid import UUID

from trust.clients.credentials_check import NOBODY, Presented

REALM = 'Basic realm="Keystead enrolment", charset="UTF-8"'
LONGEST = 400


def presented(header: str | None) -> Presented | None:
    """Return what an Authorization header says; None when it is absent or of another scheme.

    One that is spelt wrong is a wrong credential, so that it is counted as one.
    """
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, secret = base64.b64decode(encoded.strip()[:LONGEST], validate=True).decode().partition(":")
        return Presented(UUID(user), secret)
    except (ValueError, binascii.Error):
        return Presented(NOBODY, "")
