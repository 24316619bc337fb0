"""Public halves, certificates, CRLs and directives as files. Nothing private can come from here (KEY-17)."""

import uuid

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from console.lib.access import access
from console.lib.capability import Capability
from keys.errors import KeyNotFoundError
from keys.models.statements import Crl, CrossCertificate, Directive
from keys.views.details import pair


def _file(name: str, content: bytes, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@require_GET
@access(Capability.READ)
def public_key(_request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Send the public key as PEM: its DER's SHA-256 is the fingerprint on the tile (KEY-14)."""
    key = pair(key_id)
    if not key.spki_der:
        raise KeyNotFoundError(f"{key.name} has no public key yet.")
    public = load_der_public_key(bytes(key.spki_der))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _file(f"{slugify(key.name)}.pub.pem", pem, "application/x-pem-file")


@require_GET
@access(Capability.READ)
def certificate(_request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Send the certificate as PEM."""
    key = pair(key_id)
    if not key.certificate_der:
        raise KeyNotFoundError(f"{key.name} has no certificate yet.")
    return _file(f"{slugify(key.name)}.pem", _pem(bytes(key.certificate_der)), "application/x-pem-file")


@require_GET
@access(Capability.READ)
def cross_certificate(_request: HttpRequest, cross_id: int) -> HttpResponse:
    """Send a cross-certificate as PEM."""
    found = CrossCertificate.objects.select_related("issuer", "subject").filter(pk=cross_id).first()
    if found is None:
        raise KeyNotFoundError("There is no such cross-certificate.")
    return _file(f"{slugify(str(found))}.pem", _pem(bytes(found.certificate_der)), "application/x-pem-file")


@require_GET
@access(Capability.READ)
def crl(_request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Send the last CRL of a revoked root, DER as RFC 2585 §4.2 has it."""
    found = Crl.objects.select_related("root").filter(root_id=root_id).first()
    if found is None:
        raise KeyNotFoundError("This root has no CRL: it is not revoked, or its device was away when it was.")
    return _file(f"{slugify(found.root.name)}.crl", bytes(found.crl_der), "application/pkix-crl")


@require_GET
@access(Capability.READ)
def directive(_request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Send the revocation directive, the exact bytes that were signed."""
    found = Directive.objects.select_related("root").filter(root_id=root_id).first()
    if found is None:
        raise KeyNotFoundError("There is no revocation directive for this root.")
    return _file(f"revocation-directive-{found.sequence}.json", bytes(found.payload), "application/json")
