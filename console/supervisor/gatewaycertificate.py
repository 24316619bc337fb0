"""`python -m console.supervisor.gatewaycertificate FOLDER ADDRESS`: make the certificate of the local gateway.

In a process of its own: a start that has one does not spend the time to load the library. The key of the CA is never
written down, so that it signs this one certificate.
"""

import ipaddress
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from console.supervisor.state import write_private, write_private_bytes

YEARS_10 = timedelta(days=3650)


def make(folder: Path, address: str) -> None:
    """Write `ca.pem` and then `cert.p12`, both 0600: who finds the second finds the first."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Keystead local gateway CA", ca_key, ca_key, issuer=None, names=())
    names = (x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("localhost"))
    certificate = _certificate("Keystead local gateway", key, ca_key, issuer=ca, names=names)
    write_private(folder / "ca.pem", ca.public_bytes(Encoding.PEM).decode())
    p12 = pkcs12.serialize_key_and_certificates(b"gateway", key, certificate, [ca], NoEncryption())
    write_private_bytes(folder / "cert.p12", p12)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Certificate | None,
    names: tuple[x509.GeneralName, ...],
) -> x509.Certificate:
    """Return a CA certificate without an issuer, and a server's certificate with one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(tz=UTC)
    is_ca = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + YEARS_10)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(_usage(is_ca=is_ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    if not is_ca:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


if __name__ == "__main__":
    os.umask(0o077)
    make(Path(sys.argv[1]), sys.argv[2])
