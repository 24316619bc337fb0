"""Requests for a certificate (PKCS#10, RFC 2986): only the public key travels, signed by its private half."""

from hashlib import sha256

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from trust.agent import keys
from trust.wire import proof

MOST = 64


def build(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    nonce: bytes = b"",
    last_key: ec.EllipticCurvePrivateKey | None = None,
    chain: tuple[bytes, ...] = (),
) -> bytes:
    """Return a request, DER, for a certificate of this name; with `last_key` that key vouches for it over the nonce.

    `chain` is the certificate of the last key, and what leads from it to a root.
    """
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(name))]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    if last_key:
        vouched = proof.encode(msgspec.structs.replace(_proof(name, key, nonce, last_key), chain=chain))
        builder = builder.add_attribute(x509.ObjectIdentifier(proof.ATTRIBUTE), vouched)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def common_name(name: str) -> str:
    """Return the name if it fits (64 characters, RFC 5280 appendix A.1), else 47 of them, `~`, 16 digits of SHA-256."""
    return name if len(name) <= MOST else f"{name[: MOST - 17]}~{sha256(name.encode()).hexdigest()[:16]}"


def _proof(
    name: str, key: ec.EllipticCurvePrivateKey, nonce: bytes, last_key: ec.EllipticCurvePrivateKey
) -> proof.Proof:
    signature = last_key.sign(proof.signed_bytes(nonce, name, keys.spki(key)), ec.ECDSA(hashes.SHA256()))
    return proof.Proof(nonce=nonce, last_key=sha256(keys.spki(last_key)).hexdigest(), signature=signature)
