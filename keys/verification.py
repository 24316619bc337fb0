"""Verify what the keys of a server can prove (the guided page's Verify, walkthrough 10). Worker only.

First each key is used, and each chain followed; then others show that they trust these keys (`keys.proofs`).
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys import directive, goodkey, proofs, rotation, saga, signing, stores
from keys.actions import Action
from keys.models.keypair import KeyPair
from keys.models.root import Root, RootState
from keys.models.statements import Crl, CrossCertificate, Directive
from keys.models.subordinate import Subordinate
from keys.purposes import OWN_SUBORDINATES, PURPOSES, Purpose

Progress = Callable[[int, int, str], None]
CHALLENGE = b"keystead verification challenge\n"


@dataclass(frozen=True)
class Line:
    """One check."""

    name: str
    ok: bool
    detail: str
    code: str = ""
    next_step: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the line for a job's result."""
        return asdict(self)


def run(server: Server, *, actor: Actor, progress: Progress) -> list[Line]:
    """Run every check and return its line; a failed one does not keep the others. The result is recorded."""
    own, others = list(_checks(server)), proofs.every()
    total = len(own) + len(others)
    lines: list[Line] = []
    for name, check in own:
        progress(len(lines), total, name)
        lines.append(_line(name, check))
    for proof in others:
        progress(len(lines), total, proof.name)
        say = partial(progress, len(lines), total)
        lines.append(_line(proof.name, partial(proof.prove, server, actor=actor, progress=say)))
    failed = [line.name for line in lines if not line.ok]
    with transaction.atomic():
        outcome = Outcome.FAILED if failed else Outcome.SUCCEEDED
        details = {"checks": len(lines), "failed": failed}
        log.append(Action.VERIFIED, server.subject, actor=actor, outcome=outcome, details=details)
    return lines


class _FailedError(Exception):
    """A check that did not hold; the text says why."""


def _line(name: str, check: Callable[[], str]) -> Line:
    try:
        return Line(name, ok=True, detail=check())
    except _FailedError as error:
        return Line(name, ok=False, detail=str(error), next_step="See Troubleshooting keys and certificates.")
    except saga.FAULTS as fault:
        return Line(name, ok=False, detail=fault.message, code=fault.code, next_step=fault.next_step)


def _checks(server: Server) -> Iterator[tuple[str, Callable[[], str]]]:
    roots = list(Root.objects.active(server).select_related("server", "binding"))
    keys = {key.purpose: key for key in Subordinate.objects.active(server).select_related("binding", "root")}
    for root in roots:
        yield f"Chain of {root.name}", partial(_self_signed, root)
        yield f"Private key of {root.name}", partial(_signs, root)
    for purpose in rotation.wanted(server) or OWN_SUBORDINATES:
        label = PURPOSES[purpose].label
        key = keys.get(purpose)
        yield f"Chain of the {label}", partial(_chain, key)
        yield f"Private key of the {label}", partial(_signs, key)
    signing_key = keys.get(Purpose.MESSAGE_SIGNING)
    yield "Message signature, up to the root", partial(_message, signing_key)
    for cross in CrossCertificate.objects.filter(issuer__server=server).select_related("issuer", "subject"):
        yield f"Cross-certificate: {cross}", partial(_cross, cross)
    for crl in Crl.objects.filter(root__server=server).select_related("root"):
        yield f"Last CRL of {crl.root.name}", partial(_crl, crl)
    last = Directive.objects.filter(server=server).select_related("signer").first()
    if last:
        yield "Newest revocation directive", partial(_directive, last)


Key = TypeVar("Key", bound=KeyPair)


def _present(key: Key | None) -> Key:
    if key is None:
        raise _FailedError("There is no such key yet. See Background Jobs for what keeps it.")
    return key


def _self_signed(root: Root) -> str:
    certificate = _certificate(root)
    _issued_by(certificate, certificate)
    _key_matches(root, certificate)
    return "Self-signed, for the public key that the tile shows."


def _chain(key: Subordinate | None) -> str:
    key = _present(key)
    certificate, issuer = _certificate(key), _certificate(key.root)
    _key_matches(key, certificate)
    _issued_by(certificate, issuer)
    if key.root.state != RootState.ACTIVE:
        raise _FailedError(f"{key.root.name}, which signed it, is not active.")
    now = clock.now()
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise _FailedError("The certificate is not valid at this time. Check the clock of this server.")
    return f"Signed by {key.root.name}, valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC."


def _signs(maybe: KeyPair | None) -> str:
    key = _present(maybe)
    message = CHALLENGE + secrets.token_bytes(32)
    with stores.open_signer(key) as signer:
        signature = signing.sign(message, signer)
    if not signing.is_valid(signature, message, goodkey.check(bytes(key.spki_der))):
        raise _FailedError(f"{key.store_label} returned a signature that does not verify.")
    return f"Signs in {key.store_label}; the signature verifies."


def _message(key: Subordinate | None) -> str:
    key = _present(key)
    _chain(key)
    message = CHALLENGE + hashlib.sha256(key.cka_id).digest()
    with stores.open_signer(key) as signer:
        signature = signing.sign(message, signer)
    public = goodkey.check(spki_of(_certificate(key)))
    if not signing.is_valid(signature, message, public):
        raise _FailedError("The signature over a message does not verify with the certificate's key.")
    return f"A signed message verifies with the key that {key.root.name} certified."


def _cross(cross: CrossCertificate) -> str:
    certificate = x509.load_der_x509_certificate(bytes(cross.certificate_der))
    _issued_by(certificate, _certificate(cross.issuer))
    _key_matches(cross.subject, certificate)
    return "Verifies with the issuer's key."


def _crl(row: Crl) -> str:
    found = x509.load_der_x509_crl(bytes(row.crl_der))
    public = goodkey.check(bytes(row.root.spki_der))
    if not found.is_signature_valid(public):
        raise _FailedError("The signature does not verify with the root's key.")
    return f"{row.entries} certificates; the signature verifies."


def _directive(row: Directive) -> str:
    content = directive.verify(bytes(row.payload), bytes(row.signature), bytes(row.signer.spki_der))
    return f"Number {content['number']}, signed by {row.signer.name}, names {len(content['revoked'])} revoked roots."


def _certificate(key: KeyPair) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(key.certificate_der))


def spki_of(certificate: x509.Certificate) -> bytes:
    """Return the DER SubjectPublicKeyInfo that the certificate is for."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_matches(key: KeyPair, certificate: x509.Certificate) -> None:
    if spki_of(certificate) != bytes(key.spki_der):
        raise _FailedError("The certificate is for another public key than the one on record.")


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise _FailedError("The certificate does not verify with its issuer's key.") from error
