"""Certificate requests as clients make them, right and wrong."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID

from trust.wire import proof

if TYPE_CHECKING:
    from trust.models.credentials import Credential

OTHER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")


@dataclass(frozen=True)
class Made:
    """A credential, and what its init file holds."""

    row: "Credential"
    secret: str

    @property
    def basic(self) -> str:
        return basic(str(self.row.pk), self.secret)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def csr(
    name: str,
    key: Any = None,
    *,
    hosts: Sequence[str] = (),
    extensions: Sequence[x509.ExtensionType] = (),
    attributes: Sequence[tuple[x509.ObjectIdentifier, bytes]] = (),
    subject: x509.Name | None = None,
    digest: Any = hashes.SHA256(),  # noqa: B008 - it has no state
) -> bytes:
    """Return a PKCS#10 request, DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        subject if subject is not None else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False
        )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    for oid, value in attributes:
        builder = builder.add_attribute(oid, value)
    return builder.sign(key or new_key(), digest).public_bytes(Encoding.DER)


def proven(name: str, key: Any, last_key: Any, nonce: bytes, chain: tuple[bytes, ...] = ()) -> bytes:
    """Return a request with the proof of a last key, and the certificates that go along."""
    signature = last_key.sign(proof.signed_bytes(nonce, name, spki(key)), ec.ECDSA(hashes.SHA256()))
    fingerprint = hashlib.sha256(spki(last_key)).hexdigest()
    made = proof.Proof(nonce=nonce, last_key=fingerprint, signature=signature, chain=chain)
    return csr(name, key, attributes=[(x509.ObjectIdentifier(proof.ATTRIBUTE), proof.encode(made))])


def certificates(body: bytes) -> list[x509.Certificate]:
    """Return what an answer of EST holds; it must be one line of base64."""
    assert b"\n" not in body.strip()
    assert body == body.strip()
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(body, validate=True))
