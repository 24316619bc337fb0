"""Roots, cross-certificates, intermediates and leaves for tests: real certificates, EC P-256, made in no time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trust.wire import signatures, signed
from trust.wire.documents import ListedRoot, Payload, RevokedRoot, TrustList, encode
from trust.wire.signed import Envelope, Kind

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
MESSAGE_SIGNING = "1.2.840.113556.1.8000.2554.11844.7983.2183.17371.41920.4536775.6377541"
TLS = (ExtendedKeyUsageOID.SERVER_AUTH.dotted_string, ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string)
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Holder:
    """A key with its certificate."""

    name: str
    key: PrivateKey = field(repr=False)
    der: bytes = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @property
    def fingerprint(self) -> str:
        return signatures.fingerprint(self.certificate)

    @property
    def listed(self) -> ListedRoot:
        return ListedRoot(self.name, self.der)

    def sign(self, data: bytes) -> bytes:
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def certificate(
    name: str,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    *,
    issuer: str,
    by: PrivateKey,
    is_ca: bool = False,
    purposes: Sequence[str] = (),
    dns: str = "",
    until: datetime = NEVER,
    since: datetime = BEGAN,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if is_ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if purposes:
        uses = [x509.ObjectIdentifier(use) for use in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(Encoding.DER)


def root(name: str, key: PrivateKey | None = None) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    return Holder(name, key, certificate(name, key.public_key(), issuer=name, by=key, is_ca=True))


def cross(subject: Holder, by: Holder) -> bytes:
    """Return the subject's key certified by another root."""
    return certificate(subject.name, subject.key.public_key(), issuer=by.name, by=by.key, is_ca=True)


def below(
    issuer: Holder,
    name: str,
    *,
    is_ca: bool = False,
    purposes: Sequence[str] = (),
    dns: str = "",
    key: PrivateKey | None = None,
    until: datetime = NEVER,
    since: datetime = BEGAN,
) -> Holder:
    key = key or ec.generate_private_key(ec.SECP256R1())
    der = certificate(
        name,
        key.public_key(),
        issuer=issuer.name,
        by=issuer.key,
        is_ca=is_ca,
        purposes=purposes,
        dns=dns,
        until=until,
        since=since,
    )
    return Holder(name, key, der)


def revoked(holder: Holder, *, compromised: bool = False) -> RevokedRoot:
    return RevokedRoot(holder.name, holder.fingerprint, "policy", compromised, BEGAN)


def trust_list(
    roots: Sequence[Holder],
    crosses: Sequence[bytes] = (),
    gone: Sequence[RevokedRoot] = (),
    *,
    sequence: int = 1,
    server: str = "server.example",
) -> TrustList:
    return TrustList(
        server=server,
        audience="*",
        sequence=sequence,
        issued_at=BEGAN,
        roots=tuple(holder.listed for holder in roots),
        crosses=tuple(crosses),
        revoked=tuple(gone),
    )


def envelope(kind: Kind, payload: Payload, signer: Holder, chain: Sequence[bytes] = ()) -> Envelope:
    raw = encode(payload)
    return Envelope(kind, raw, signer.sign(signed.signed_bytes(kind, raw)), signer.der, tuple(chain))


def days(count: float) -> timedelta:
    return timedelta(days=count)
