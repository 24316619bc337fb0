"""Clients' certificates as the listener's own intermediate signs them, and as it never would."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from console.lib import clock
from keys.purposes import Purpose
from keys.signing import Signer
from tests.keys import software
from tests.keys.software import Certified
from trust.issuing import opening


@dataclass(frozen=True)
class Identity:
    """A key with the certificates that a client sends."""

    key: Signer
    chain: tuple[bytes, ...]

    def pem_file(self, folder: Path, name: str = "client.pem") -> Path:
        """Write both for programs, and for `ssl`."""
        path = folder / name
        certificates = [x509.load_der_x509_certificate(der) for der in self.chain]
        path.write_bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        )
        return path


def issued(name: str, *, with_issuer: bool = True) -> Identity:
    """Return what the intermediate in use certifies for a day."""
    authority = opening.issuing().client_ca
    issuer = Certified(authority.private_key, authority.certificate_der)
    client = software.below(issuer, Purpose.CLIENT_TLS, fqdn=name, now=clock.now().replace(microsecond=0))
    return Identity(client.key, (client.der, *((issuer.der,) if with_issuer else ())))


def expired(name: str) -> Identity:
    """Return what ended an hour ago; the intermediate is younger, which a verifier does not look at."""
    authority, key = opening.issuing().client_ca, ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=2))
        .not_valid_after(now - timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    certificate = builder.sign(authority.private_key, hashes.SHA256())
    return Identity(key, (certificate.public_bytes(Encoding.DER), authority.certificate_der))


def rogue(name: str) -> Identity:
    """Return a certificate of a root of the same name that is none of this server's."""
    now = clock.now().replace(microsecond=0)
    root = software.root(now=now)
    authority = software.below(root, Purpose.CLIENT_TLS_CA, now=now)
    client = software.below(authority, Purpose.CLIENT_TLS, fqdn=name, now=now)
    return Identity(client.key, (client.der, authority.der))
