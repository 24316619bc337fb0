"""Certificates for the peers of tests: an authority, and what it signs."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Certified:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def self_signed(common_name: str, *san: str) -> Certified:
    """Return what `openssl req -x509` makes."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _signed(common_name, san, key, None, DAY, is_ca=True)


class Authority(Certified):
    """A CA."""

    def __init__(self, name: str) -> None:
        made = self_signed(name)
        super().__init__(made.certificate, made.key)

    def issue(self, common_name: str, *san: str, ends: timedelta = DAY) -> Certified:
        """Return a certificate for a name, with subjectAltName for each of `san`; `ends` counts from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _signed(common_name, san, key, self, ends, is_ca=False)


def _signed(
    common_name: str,
    san: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    issuer: Certified | None,
    ends: timedelta,
    *,
    is_ca: bool,
) -> Certified:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if san:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(text) for text in san]), critical=False
        )
    return Certified(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
