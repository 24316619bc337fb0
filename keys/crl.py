"""Certificate revocation lists, in two steps as certificates: *prepare* the intended bytes, then *issue* once.

The last CRL of a root covers every subordinate that it signed and holds for ever: its key is destroyed
afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Lock

from asn1crypto import crl as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.lib.errors import ConflictError, InvalidError, RefusedError
from keys import goodkey, signing
from keys.signing import Signer
from keys.validity import NEVER

MAX_NUMBER = 2**159 - 1  # RFC 5280 §5.2.3: at most 20 octets


class Reason(StrEnum):
    """Why a key or certificate was revoked: the reason codes of RFC 5280 §5.3.1 that apply here."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"


@dataclass(frozen=True)
class Revoked:
    """One entry of a CRL."""

    serial: int
    revoked_at: datetime
    reason: Reason = Reason.UNSPECIFIED


@dataclass
class PreparedCrl:
    """The intended bytes `tbs` (DER TBSCertList), which `issue` signs once with the key of `issuer_spki`."""

    tbs: bytes
    issuer_spki: bytes
    _issued: bool = field(default=False, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def claim(self) -> None:
        """Take the one right to issue it; raises ConflictError the second time."""
        with self._lock:
            if self._issued:
                raise ConflictError("This CRL was issued already. Nothing was signed.")
            self._issued = True


def prepare(
    issuer: bytes, revoked: Iterable[Revoked], *, number: int, now: datetime, next_update: datetime = NEVER
) -> PreparedCrl:
    """Return a complete CRL of `issuer` (certificate, DER), ready to be signed.

    `number` grows with every CRL of an issuer (the caller's duty). Raises RefusedError if the issuer may not
    sign CRLs, InvalidError for a bad number or a serial named twice.
    """
    parent = x509.load_der_x509_certificate(issuer)
    if not parent.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign:
        raise RefusedError("The issuer's key may not sign CRLs (RFC 5280 §4.2.1.3).", code="not-a-crl-issuer")
    entries = list(revoked)
    if not 0 <= number <= MAX_NUMBER:
        raise InvalidError("A CRL number has at most 20 octets (RFC 5280 §5.2.3).", code="bad-crl-number")
    if len({entry.serial for entry in entries}) != len(entries):
        raise InvalidError("A serial number is named twice in the CRL.", code="double-serial")
    issuer_key = goodkey.check(parent.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    identifier = parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(parent.subject)
        .last_update(now.replace(microsecond=0))
        .next_update(next_update)
        # RFC 5280 §5.2.1 and §5.2.3: a conforming CRL has both, and neither is critical.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(_entry(entry))
    draft = builder.sign(signing.throwaway(issuer_key), signing.hash_for(issuer_key))
    return PreparedCrl(draft.tbs_certlist_bytes, signing.spki_of(issuer_key))


def issue(prepared: PreparedCrl, signer: Signer) -> bytes:
    """Sign the intended bytes, at most once, and return the CRL, DER. Raises as `keys.issuance.issue`."""
    issuer_key = goodkey.check(prepared.issuer_spki)
    signing.require(signer, issuer_key)
    prepared.claim()
    tbs = asn1.TbsCertList.load(prepared.tbs, strict=True)
    signature = signing.sign_intended(prepared.tbs, issuer_key, signer)
    parts = {"tbs_cert_list": tbs, "signature_algorithm": tbs["signature"], "signature": signature}
    der = bytes(asn1.CertificateList(parts).dump())
    if x509.load_der_x509_crl(der).tbs_certlist_bytes != prepared.tbs:
        raise ConflictError("The signed CRL differs from the intended one. It was thrown away.")
    return der


def _entry(entry: Revoked) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(entry.serial)
        .revocation_date(entry.revoked_at.replace(microsecond=0))
    )
    if entry.reason is not Reason.UNSPECIFIED:  # RFC 5280 §5.3.1: leave the extension out instead
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(str(entry.reason))), critical=False)
    return builder.build()
