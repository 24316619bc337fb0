"""The revocation directive: which keys of a server are no longer valid, signed by its newest root.

It reaches also those who cannot get the last CRL of a root (its token was offline). Format, version 1:
canonical JSON (`console.lib.digest`), and a detached signature over a fixed prefix and those bytes. The
prefix keeps the signature from being one of a certificate or CRL, and the other way round.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.lib.digest import canonical_json, spki_fingerprint
from console.lib.errors import InvalidError
from keys import goodkey, signing
from keys.crl import Reason
from keys.signing import Signer

TYPE = "keystead-revocation-directive"
VERSION = 1
PREFIX = b"keystead revocation directive 1\n"


@dataclass(frozen=True)
class RevokedKey:
    """A root that was revoked, by fingerprint (SHA-256 of its SPKI), with the serials of what it had signed."""

    name: str
    fingerprint: str
    reason: Reason
    revoked_at: datetime
    subordinate_serials: tuple[int, ...] = ()


def prepare(*, server: str, number: int, revoked: Iterable[RevokedKey], signer_spki: bytes, now: datetime) -> bytes:
    """Return the intended bytes. `number` grows with every directive of a server; each names all revoked roots."""
    return canonical_json(
        {
            "type": TYPE,
            "version": VERSION,
            "server": server,
            "number": number,
            "issued_at": now,
            "signed_by": spki_fingerprint(signer_spki),
            "revoked": [
                {
                    "name": key.name,
                    "fingerprint": key.fingerprint,
                    "reason": key.reason,
                    "revoked_at": key.revoked_at,
                    # Hex: a serial has up to 159 bits, more than a JSON number holds everywhere (RFC 8259
                    # §6).
                    "subordinates": [f"{serial:x}" for serial in key.subordinate_serials],
                }
                for key in revoked
            ],
        }
    )


def sign(body: bytes, signer: Signer) -> bytes:
    """Return the detached signature; raises InvalidError if the body names another signer."""
    key = signer.public_key()
    if json.loads(body)["signed_by"] != spki_fingerprint(signing.spki_of(key)):
        raise InvalidError("The directive names another signer. Nothing was signed.", code="wrong-signer")
    return signing.sign_intended(PREFIX + body, key, signer)


def verify(body: bytes, signature: bytes, spki: bytes) -> dict[str, Any]:
    """Return the directive; raises InvalidError unless this key signed it and it is of this type and version.

    Not checked: that the key is one that the reader trusts, and that `number` is newer than the last one
    seen.
    """
    if not signing.is_valid(signature, PREFIX + body, goodkey.check(spki)):
        raise InvalidError("The signature of the revocation directive is wrong.", code="bad-signature")
    content: dict[str, Any] = json.loads(body)
    if (content.get("type"), content.get("version")) != (TYPE, VERSION):
        raise InvalidError("This is no revocation directive of a known version.", code="bad-directive")
    if content["signed_by"] != spki_fingerprint(spki):
        raise InvalidError("The revocation directive names another signer.", code="wrong-signer")
    return content
