"""Cross-certificates between two roots of a server: each certified by the other (RFC 4210 §4.4).

They carry over whoever knows only one of the two. Made when a root is created, because the old private key is
gone later. Path length 1: an intermediate may stand below, and nothing else.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.lib.errors import RefusedError
from keys import profiles
from keys.issuance import PreparedCertificate, prepare_for


def old_with_new(old_root: bytes, new_root: bytes, *, now: datetime) -> PreparedCertificate:
    """Return the old root's key certified by the new one: for who knows only the new root. Issue with the new key.

    Both arguments are self-signed certificates, DER.
    """
    return _certify(old_root, by=new_root, now=now)


def new_with_old(new_root: bytes, old_root: bytes, *, now: datetime) -> PreparedCertificate:
    """Return the new root's key certified by the old one: for who knows only the old root. Issue with the old key."""
    return _certify(new_root, by=old_root, now=now)


def _certify(root: bytes, *, by: bytes, now: datetime) -> PreparedCertificate:
    certificate = x509.load_der_x509_certificate(root)
    if certificate.subject != certificate.issuer:
        raise RefusedError("A cross-certificate is made between roots only.", code="not-a-root")
    return prepare_for(
        profiles.CROSS,
        subject=certificate.subject,
        subject_spki=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        now=now,
        issuer=by,
    )
