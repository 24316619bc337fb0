"""Whether a known client proves that it has the key of its newest certificate (`trust.wire.proof`)."""

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from console.lib.errors import RefusedError
from keys import goodkey
from trust.clients import nonce
from trust.clients.est.wire import CertificateRequest
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.wire import proof
from trust.wire.proof import Proof


def check(client: Client, request: CertificateRequest, shown: Proof, nonce_key: bytes, now: datetime) -> None:
    """Return if the request proves the key of the client's newest certificate; raises RefusedError.

    The certificate may have expired, and its root may be revoked: its key is still the client's. A revoked certificate
    proves nothing.
    """
    newest = Certificate.objects.filter(client=client).order_by("-id").first()
    if newest is None or newest.spki_fingerprint != shown.last_key:
        raise RefusedError("The proof is not made with the key that was certified last.", code="not-the-last-key")
    if newest.revoked_at is not None:
        raise RefusedError("The certificate of the last key was revoked.", code="certificate-revoked")
    check_signature(bytes(newest.spki_der), request, shown, nonce_key, now)


def check_signature(
    spki_der: bytes, request: CertificateRequest, shown: Proof, nonce_key: bytes, now: datetime
) -> None:
    """Return if this key made the proof, for this request and just now; raises RefusedError."""
    if not nonce.is_fresh(nonce_key, shown.nonce, now):
        raise RefusedError("The proof is too old. Ask for a nonce and sign it within five minutes.", code="old-nonce")
    signed = proof.signed_bytes(shown.nonce, request.name, request.spki_der)
    if not _is_signed(spki_der, shown.signature, signed):
        raise RefusedError("The proof of the last key is wrong.", code="wrong-proof")


def _is_signed(spki_der: bytes, signature: bytes, data: bytes) -> bool:
    key = goodkey.check(spki_der)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
