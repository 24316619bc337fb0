"""Certificates in two steps: *prepare* makes the intended bytes, checked and linted; *issue* signs them, once.

Whoever stores `record` between the steps can go on after a crash; that a stored one is issued only once is
then up to the conditional UPDATE of its row.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from typing import TypeVar

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID

from console.lib.digest import canonical_json
from console.lib.errors import ConflictError, InvalidError, RefusedError
from hsm.device.base import KeySpec
from keys import goodkey, lint, names, signing
from keys.profiles import DnsNames, KeyUse, Profile
from keys.signing import Signer
from keys.validity import Period, period

Extension = TypeVar("Extension", bound=x509.ExtensionType)
SERIAL_BITS = 159  # the largest positive number in 20 octets (RFC 5280 §4.1.2.2)


@dataclass
class PreparedCertificate:
    """The intended bytes `tbs` (DER TBSCertificate), which `issue` signs once with the key of `issuer_spki`."""

    profile: Profile
    tbs: bytes
    issuer_spki: bytes
    _issued: bool = field(default=False, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def record(self) -> bytes:
        """What to store: JSON, the bytes in hex."""
        parts = {"profile": self.profile.name, "tbs": self.tbs.hex(), "issuer_spki": self.issuer_spki.hex()}
        return canonical_json(parts)

    @property
    def serial(self) -> int:
        """The serial number."""
        return int(self._parsed["serial_number"].native)

    @property
    def period(self) -> Period:
        """How long the certificate will hold."""
        validity = self._parsed["validity"]
        return Period(validity["not_before"].native.astimezone(UTC), validity["not_after"].native.astimezone(UTC))

    @property
    def _parsed(self) -> asn1.TbsCertificate:
        return asn1.TbsCertificate.load(self.tbs, strict=True)

    def claim(self) -> None:
        """Take the one right to issue it; raises ConflictError the second time."""
        with self._lock:
            if self._issued:
                raise ConflictError("This certificate was issued already. Nothing was signed.")
            self._issued = True


def prepare(
    profile: Profile,
    *,
    name: str,
    subject_spki: bytes,
    now: datetime,
    issuer: bytes | None = None,
    hours: int | None = None,
    dns_names: tuple[str, ...] = (),
    spec: KeySpec | None = None,
) -> PreparedCertificate:
    """Return a certificate that is ready to be signed: validated, profiled and linted.

    `issuer` is the issuer's certificate (DER), None for one that signs itself; `hours` its validity, None for
    no end; with `spec` the key must be of exactly that kind. The period is cut to the issuer's. Raises
    InvalidError (a weak key, a bad name, a request that does not fit the profile) and RefusedError (the
    issuer may not sign it). Not checked: that the requester holds the private key, and that the issuer was
    not revoked.
    """
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, names.common_name(name))
    return prepare_for(
        profile,
        subject=x509.Name([common_name]),
        subject_spki=subject_spki,
        now=now,
        issuer=issuer,
        hours=hours,
        dns_names=tuple(dict.fromkeys(map(names.fqdn, dns_names))),
        spec=spec,
    )


def prepare_for(
    profile: Profile,
    *,
    subject: x509.Name,
    subject_spki: bytes,
    now: datetime,
    issuer: bytes | None = None,
    hours: int | None = None,
    dns_names: tuple[str, ...] = (),
    spec: KeySpec | None = None,
) -> PreparedCertificate:
    """As `prepare`, for a subject name that exists already (a root that gets a cross-certificate)."""
    subject_key = goodkey.check(subject_spki, spec)
    parent = None if issuer is None else x509.load_der_x509_certificate(issuer)
    _check_request(profile, hours, dns_names, parent)
    if parent is None:
        holds = period(now, hours=hours)
        issuer_key = subject_key
    else:
        _check_issuer(parent, profile, subject, now)
        bounds = {"issuer_not_before": parent.not_valid_before_utc, "issuer_not_after": parent.not_valid_after_utc}
        holds = period(now, hours=hours, **bounds)
        issuer_key = goodkey.check(_spki(parent))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if parent is None else parent.subject)
        .public_key(subject_key)
        .serial_number(secrets.randbits(SERIAL_BITS - 1) | 1 << (SERIAL_BITS - 1))
        .not_valid_before(holds.not_before)
        .not_valid_after(holds.not_after)
    )
    for extension, critical in _extensions(profile, subject_spki, dns_names, parent):
        builder = builder.add_extension(extension, critical)
    draft = builder.sign(signing.throwaway(issuer_key), signing.hash_for(issuer_key))
    intent = lint.Intent(
        profile=profile,
        subject=subject.public_bytes(),
        spki=subject_spki,
        algorithm=signing.algorithm_name(issuer_key),
        period=holds,
        dns_names=dns_names,
        issuer=None if issuer is None else asn1.Certificate.load(issuer),
    )
    _lint(draft, intent)
    return PreparedCertificate(profile, draft.tbs_certificate_bytes, signing.spki_of(issuer_key))


def issue(prepared: PreparedCertificate, signer: Signer) -> bytes:
    """Sign the intended bytes and return the certificate, DER.

    Signs at most once for each prepared certificate, also when signing fails: after an error prepare a new
    one. Raises ConflictError (issued already, or not the issuer's key) and UnavailableError (a signature that
    is wrong).
    """
    issuer_key = goodkey.check(prepared.issuer_spki)
    signing.require(signer, issuer_key)
    prepared.claim()
    tbs = asn1.TbsCertificate.load(prepared.tbs, strict=True)
    signature = signing.sign_intended(prepared.tbs, issuer_key, signer)
    der = bytes(
        asn1.Certificate(
            {"tbs_certificate": tbs, "signature_algorithm": tbs["signature"], "signature_value": signature}
        ).dump()
    )
    if x509.load_der_x509_certificate(der).tbs_certificate_bytes != prepared.tbs:
        raise ConflictError("The signed certificate differs from the intended one. It was thrown away.")
    return der


def key_identifier(spki_der: bytes) -> bytes:
    """Return the leftmost 160 bits of the SHA-256 of the subjectPublicKey bits (RFC 7093 §2, method 1)."""
    key = load_der_public_key(spki_der)
    if isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)  # RFC 5480 §2.2
    else:
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)  # RFC 3279 §2.3.1
    return sha256(bits).digest()[:20]


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _lint(draft: x509.Certificate, intent: lint.Intent) -> None:
    if found := lint.problems(draft.public_bytes(Encoding.DER), intent):
        raise InvalidError(
            "The certificate does not fit its profile, so it was not signed: " + "; ".join(found), code="lint"
        )


def _check_request(
    profile: Profile, hours: int | None, dns_names: tuple[str, ...], parent: x509.Certificate | None
) -> None:
    if profile.self_signed != (parent is None):
        raise InvalidError(f"The profile {profile.name} {'signs itself' if parent else 'needs an issuer'}.")
    if profile.never_expires != (hours is None) or (hours is not None and hours < 1):
        raise InvalidError(f"A validity of {hours} hours does not fit the profile {profile.name}.", code="bad-validity")
    if profile.dns_names is DnsNames.REQUIRED and not dns_names:
        raise InvalidError(f"A certificate of profile {profile.name} names at least one host.", field="fqdn")
    if profile.dns_names is DnsNames.NONE and dns_names:
        raise InvalidError(f"A certificate of profile {profile.name} names no host.", field="fqdn")


def _check_issuer(parent: x509.Certificate, profile: Profile, subject: x509.Name, now: datetime) -> None:
    constraints = _find(parent, x509.BasicConstraints)
    usage = _find(parent, x509.KeyUsage)
    if constraints is None or not constraints.ca or usage is None or not usage.key_cert_sign:
        raise RefusedError("The issuer's key may not sign certificates (RFC 5280 §4.2.1.3, §4.2.1.9).", code="not-a-ca")
    if not parent.not_valid_before_utc <= now < parent.not_valid_after_utc:
        raise RefusedError("The issuer's certificate is not valid now.", code="issuer-expired")
    if subject == parent.subject:
        raise RefusedError("The issuer's own name cannot be certified under it.", code="same-name")
    if not _path_length_allows(constraints.path_length, profile):
        raise RefusedError("No such CA may stand below this issuer (RFC 5280 §4.2.1.9).", code="path-length")
    bounds = _find(parent, x509.ExtendedKeyUsage)
    if bounds is not None and not set(profile.extended_key_usage) <= {use.dotted_string for use in bounds}:
        raise RefusedError("This issuer does not certify keys for this purpose (extendedKeyUsage).", code="purpose")


def _path_length_allows(issuer_length: int | None, profile: Profile) -> bool:
    if issuer_length is None or not profile.is_ca:
        return True
    return profile.path_length is not None and profile.path_length < issuer_length


def _find(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _extensions(
    profile: Profile, spki: bytes, dns_names: tuple[str, ...], parent: x509.Certificate | None
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if profile.is_ca:
        found.append((x509.BasicConstraints(ca=True, path_length=profile.path_length), True))
    found.append((_key_usage(profile), True))
    if profile.extended_key_usage:
        found.append((x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, profile.extended_key_usage)), False))
    found.append((x509.SubjectKeyIdentifier(key_identifier(spki)), False))
    if parent is not None:
        identifier = parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        found.append((x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False))
    if dns_names:
        found.append((x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names]), False))
    return found


def _key_usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=KeyUse.DIGITAL_SIGNATURE in profile.key_usage,
        key_cert_sign=KeyUse.KEY_CERT_SIGN in profile.key_usage,
        crl_sign=KeyUse.CRL_SIGN in profile.key_usage,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
