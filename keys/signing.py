"""What certificates, CRLs and directives have in common: which algorithm signs, and how bytes are signed once.

To know the bytes before they are signed, a builder signs with a throwaway key of the same kind (so boulder
lints); the real key then signs exactly those bytes, once.
"""

from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.lib.errors import ConflictError, UnavailableError
from keys.goodkey import PublicKey

Signer = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""A software key, or `hsm.device.signer.device_private_key`: the same interface."""

Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

# NIST SP 800-57 part 1 r5 §5.6.1: a digest no weaker than the key it is signed with.
HASHES: dict[str, type[Hash]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


def spki_of(key: PublicKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def hash_for(key: PublicKey) -> Hash:
    """Return the hash that a key of this kind signs with; RSA always uses SHA-256."""
    return HASHES[key.curve.name]() if isinstance(key, ec.EllipticCurvePublicKey) else hashes.SHA256()


def sign(data: bytes, signer: Signer) -> bytes:
    """Return the X.509 signature: ECDSA (RFC 5758 §3.2) or RSASSA-PKCS1-v1_5 (RFC 4055 §5)."""
    algorithm = hash_for(signer.public_key())
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(data, ec.ECDSA(algorithm))
    return signer.sign(data, padding.PKCS1v15(), algorithm)


def is_valid(signature: bytes, data: bytes, key: PublicKey) -> bool:
    """Tell whether `sign` with the private half of `key` made the signature."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hash_for(key)))
        else:
            key.verify(signature, data, padding.PKCS1v15(), hash_for(key))
    except InvalidSignature:
        return False
    return True


def throwaway(key: PublicKey) -> Signer:
    """Return a key whose signatures say the same algorithm as those of `key`. It signs nothing that leaves."""
    return _throwaway_ec(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else _throwaway_rsa()


@cache
def _throwaway_ec(curve: str) -> ec.EllipticCurvePrivateKey:
    curves: dict[str, ec.EllipticCurve] = {c.name: c for c in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
    return ec.generate_private_key(curves[curve])


@cache
def _throwaway_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def algorithm_name(issuer: PublicKey) -> str:
    """Return what asn1crypto calls the signature algorithm of `sign` with a key of this kind."""
    kind = "ecdsa" if isinstance(issuer, ec.EllipticCurvePublicKey) else "rsa"
    return f"{hash_for(issuer).name}_{kind}"


def require(signer: Signer, issuer: PublicKey) -> None:
    """Raise ConflictError unless the signer is the private half of the issuer's key."""
    if spki_of(signer.public_key()) != spki_of(issuer):
        raise ConflictError("This is not the key that the issuer's certificate names. Nothing was signed.")


def sign_intended(intended: bytes, issuer: PublicKey, signer: Signer) -> bytes:
    """Return the signature over the intended bytes; raises UnavailableError if it does not verify."""
    signature = sign(intended, signer)
    if not is_valid(signature, intended, issuer):
        raise UnavailableError(
            "The key gave a signature that does not verify. It was thrown away.",
            code="bad-signature",
            next_step="Run the check of the HSM integration: the token or its module is faulty.",
        )
    return signature
