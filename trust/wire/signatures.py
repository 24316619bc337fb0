"""Signatures over documents: what `keys.signing` makes, checked here without anything of the console."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trust.wire.errors import WireError

# NIST SP 800-57 part 1 r5 §5.6.1: a digest no weaker than the key.
HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}

# What `cryptography` raises for a certificate that is damaged, or says what it does not know. Some of it raises only
# when the part in question is read; `certificate_of` reads version and key, extensions are read later.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def verify(signature: bytes, data: bytes, certificate: x509.Certificate) -> None:
    """Raise WireError unless the certificate's key made the signature.

    ECDSA in DER (RFC 5758 §3.2), or RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2). Not checked: whether the
    certificate is to be trusted.
    """
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in HASHES:
            key.verify(signature, data, ec.ECDSA(HASHES[key.curve.name]()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            raise WireError("The document is signed by a key of an unknown kind.", code="unknown-key")
    except InvalidSignature as error:
        raise WireError("The signature of the document is wrong.", code="bad-signature") from error


def certificate_of(der: bytes) -> x509.Certificate:
    """Return a certificate; raises WireError for anything else."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except UNREADABLE as error:
        raise WireError("This is not a certificate.", code="bad-certificate") from error
    return certificate


def spki(certificate: x509.Certificate) -> bytes:
    """Return the DER SubjectPublicKeyInfo, whose SHA-256 is the fingerprint of a key."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the SubjectPublicKeyInfo, 64 hex digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki(certificate))
    return digest.finalize().hex()
