"""The bodies of EST, both ways, without Django: what a request may hold, and how an answer is spelt.

RFC 7030 §4 with the clarifications of RFC 8951: bodies are base64 of DER, whatever Content-Transfer-Encoding says
(RFC 8951 §3.1). Requests may break their lines, answers never do: strongSwan takes one line only.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from keys import goodkey
from keys import names as key_names
from trust.wire import names, proof, signatures
from trust.wire.errors import WireError
from trust.wire.proof import Proof

MOST_BYTES = 16 * 1024
"""Of a request's body: the largest honest one (RSA 4096, a proof by RSA 4096) is below 4 KiB."""
REQUEST_TYPE = "application/pkcs10"
ANSWER_TYPE = "application/pkcs7-mime; smime-type=certs-only"
CSRATTRS_TYPE = "application/csrattrs"

WHITESPACE = re.compile(rb"[ \t\r\n]+")
# RFC 8551 §2.2 and NIST SP 800-131A r2 §3: no SHA-1, nothing below 112 bits.
SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985 §5.4.2
PROOF = x509.ObjectIdentifier(proof.ATTRIBUTE)

# CsrAttrs (RFC 7030 §4.5.2, RFC 8951 §3.3): a key on P-256, and a request signed by ECDSA with SHA-256.
#   SEQUENCE { SEQUENCE { id-ecPublicKey, SET { secp256r1 } }, ecdsa-with-SHA256 }
CSRATTRS = bytes.fromhex("3021301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302")


@dataclass(frozen=True)
class CertificateRequest:
    """A request whose signature holds: `name` in lower case, the new key, and perhaps the proof of the last one."""

    der: bytes
    name: str
    spki_der: bytes
    proof: Proof | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the new key, hex."""
        return sha256(self.spki_der).hexdigest()


def read_request(body: bytes) -> CertificateRequest:
    """Return the request in a body; raises WireError (its form) or keys.goodkey.WeakKeyError (its key).

    PKCS#10, RFC 2986: the whole body, in DER, signed by the key that it names. The subject is one common name, a host
    name (one of more than 64 characters cut as `keys.names.common_name` does). Its extensionRequest may hold
    subjectAltName with that host, and nothing else: what a certificate says is up to its profile. One attribute more is
    known, `trust.wire.proof`.
    """
    der = _unwrap(body)
    try:
        request = x509.load_der_x509_csr(der)
        subject = list(request.subject)
        algorithm = request.signature_algorithm_oid
    except signatures.UNREADABLE as error:
        raise WireError("This is not a certificate request (PKCS#10) in DER.", code="bad-request") from error
    if algorithm not in SIGNATURES:
        raise WireError(f"The signature algorithm {algorithm.dotted_string} is not accepted.", code="bad-signature")
    found = _proof(request)
    return CertificateRequest(der, _name(subject, _host(request)), _key(request), found)


def certs_only(*certificates_der: bytes) -> bytes:
    """Return the body of an answer: a certs-only SignedData (RFC 7030 §4.1.3, §4.2.3), base64 in one line."""
    certificates = [x509.load_der_x509_certificate(der) for der in certificates_der]
    return base64.b64encode(serialize_certificates(certificates, Encoding.DER))


def csrattrs() -> bytes:
    """Return the body of the answer to csrattrs (RFC 7030 §4.5.2)."""
    return base64.b64encode(CSRATTRS)


def _unwrap(body: bytes) -> bytes:
    if len(body) > MOST_BYTES:
        raise WireError(f"The request is longer than {MOST_BYTES:,} bytes.", code="too-large")
    try:
        der = base64.b64decode(WHITESPACE.sub(b"", body), validate=True)
    except binascii.Error as error:
        raise WireError("The body is not base64 (RFC 8951 §3.1).", code="bad-base64") from error
    if not der:
        raise WireError("The body is empty.", code="bad-request")
    return der


def _name(subject: list[x509.NameAttribute[str | bytes]], host: str | None) -> str:
    """Return the client's name: subjectAltName where there is one, and the common name has to fit it."""
    if len(subject) != 1 or subject[0].oid != NameOID.COMMON_NAME or not isinstance(subject[0].value, str):
        raise WireError("The subject must be one common name, the client's host name.", code="bad-subject")
    common_name = subject[0].value.lower() if subject[0].value.isascii() else ""
    name = host or common_name
    if names.client_name(name) != name or key_names.fqdn(name) != name:
        raise WireError("The name is no host name in its plain form.", code="bad-name")
    if common_name != key_names.common_name(name):
        raise WireError("The common name and subjectAltName name two different hosts.", code="bad-name")
    return name


def _key(request: x509.CertificateSigningRequest) -> bytes:
    try:
        key = request.public_key()
        # RFC 5480 §2: one spelling of a key, whichever the request chose, so that it has one fingerprint.
        spki_der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except signatures.UNREADABLE as error:
        raise WireError("The public key cannot be read, or is no point of its curve.", code="bad-key") from error
    goodkey.check(spki_der)
    try:
        is_signed = request.is_signature_valid
    except signatures.UNREADABLE:
        is_signed = False
    if not is_signed:
        raise WireError("The request is not signed by the key that it names.", code="bad-signature")
    return spki_der


def _proof(request: x509.CertificateSigningRequest) -> Proof | None:
    try:
        attributes = {attribute.oid: attribute.value for attribute in request.attributes}
    except signatures.UNREADABLE as error:
        raise WireError("The attributes of the request cannot be read.", code="bad-attribute") from error
    if unknown := attributes.keys() - {EXTENSION_REQUEST, PROOF}:
        listed = ", ".join(sorted(oid.dotted_string for oid in unknown))
        raise WireError(f"The request has attributes that are not known here: {listed}.", code="bad-attribute")
    if len(attributes) != len(list(request.attributes)):
        raise WireError("The request names an attribute twice.", code="bad-attribute")
    return proof.decode(attributes[PROOF]) if PROOF in attributes else None


def _host(request: x509.CertificateSigningRequest) -> str | None:
    """Return the one host that subjectAltName names; raises WireError for whatever else is asked for."""
    try:
        extensions = list(request.extensions)
    except signatures.UNREADABLE as error:
        raise WireError("The extensions of the request cannot be read.", code="bad-extension") from error
    host = None
    for extension in extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            raise WireError(
                f"The request asks for the extension {extension.oid.dotted_string}. Only subjectAltName may be asked "
                "for: what else a certificate says is up to the server.",
                code="bad-extension",
            )
        asked = list(extension.value)
        if len(asked) != 1 or not isinstance(asked[0], x509.DNSName):
            raise WireError("subjectAltName may hold one DNS name only.", code="bad-extension")
        host = asked[0].value.lower()
    return host
