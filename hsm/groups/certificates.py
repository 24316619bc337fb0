"""Certificates as people upload or paste them (GRP-15). Public parts only: a private key is the worker's to read."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from console.lib.errors import InvalidError

MOST_BYTES = 64 * 1024
MOST_CERTIFICATES = 50
NOT_PEM = (
    "This is no PEM certificate. It begins with -----BEGIN CERTIFICATE-----; convert a DER file with "
    "openssl x509 -inform der -out ca.pem."
)


@dataclass(frozen=True)
class CertificateFacts:
    """What a page shows of a certificate; `fingerprint` is SHA-256 of its DER, hex."""

    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    fingerprint: str

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the moment lies within its dates."""
        return self.begins <= now <= self.ends


def parse(text: str, field: str) -> str:
    """Return the certificates in a text, one after the other, as PEM; raises InvalidError for that field."""
    if len(text.encode()) > MOST_BYTES:
        raise InvalidError("A certificate file has at most 64 KiB.", field=field)
    if "PRIVATE KEY" in text:
        raise InvalidError(
            "This contains a private key. Only certificates belong here; nothing was stored.", field=field
        )
    found = _load(text)
    if not 0 < len(found) <= MOST_CERTIFICATES:
        raise InvalidError(NOT_PEM, field=field)
    return "".join(_pem(one) for one in found)


def facts(pem: str) -> list[CertificateFacts]:
    """Return what the certificates of a stored PEM text say."""
    return [
        CertificateFacts(
            subject=one.subject.rfc4514_string() or "no name",
            issuer=one.issuer.rfc4514_string() or "no name",
            begins=one.not_valid_before_utc,
            ends=one.not_valid_after_utc,
            fingerprint=one.fingerprint(SHA256()).hex(),
        )
        for one in _load(pem)
    ]


def _load(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return []


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
