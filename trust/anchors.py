"""Which root keys count: pure decisions, the same ones for a client and for the server that foresees them.

A client holds roots: by fingerprint (SHA-256 of the SubjectPublicKeyInfo, hex), each with its self-signed certificate.
A trust list tells it of others. It believes the list if it holds the root that signed it, or if cross-certificates
(RFC 4210 §4.4) lead to that root from one that it holds. A root that was revoked once is never held again, whatever a
later list says, and one that was compromised leads nowhere.

Not checked anywhere here: the time. A root never expires (KEY-39), and a client's clock may be wrong.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from trust.wire import signatures
from trust.wire.documents import TrustList
from trust.wire.errors import WireError

DEEPEST = 8
"""A leaf, an intermediate, a root; and between roots one cross-certificate for each that a client missed."""


@dataclass(frozen=True)
class Held:
    """The roots of a client, certificates by fingerprint, and the fingerprints of those that it will not hold again."""

    roots: Mapping[str, bytes] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Accepted:
    """What a client holds after a trust list; `added` and `dropped` are fingerprints, sorted."""

    held: Held
    added: tuple[str, ...]
    dropped: tuple[str, ...]


def accept(held: Held, listed: TrustList, signer: bytes) -> Accepted:
    """Return what to hold after a list that the key of `signer` (a root's certificate, DER) signed.

    Raises WireError if the list contradicts itself or its signer cannot be believed; then nothing changes. Not
    checked: the signature over the list (`trust.wire.signed.check`), its server and its sequence.
    """
    named = root_certificates(root.certificate for root in listed.roots)
    gone = frozenset(root.fingerprint for root in listed.revoked)
    by = signatures.fingerprint(signatures.certificate_of(signer))
    if named.keys() & gone:
        raise WireError("The trust list names a root both as active and as revoked.", code="contradictory-list")
    if by not in named:
        raise WireError("The trust list is not signed by a root that it names as active.", code="foreign-list")
    if by not in reachable(held, listed.crosses, compromised(listed)):
        raise WireError("No root that is held leads to the signer of the trust list.", code="unknown-signer")
    revoked = held.revoked | gone
    after = {key: der for key, der in {**held.roots, **named}.items() if key not in revoked}
    return Accepted(Held(after, revoked), _sorted(after.keys() - held.roots), _sorted(held.roots.keys() - after))


def reset(held: Held, listed: TrustList) -> Accepted:
    """Return what to hold after the order to forget every root that the list does not name.

    Not checked: that this list was accepted. If none of its roots were left, nothing is forgotten: who holds no root
    can be told nothing any more.
    """
    named = root_certificates(root.certificate for root in listed.roots)
    after = {key: der for key, der in named.items() if key not in held.revoked}
    if not after:
        return Accepted(held, (), ())
    kept = Held(after, held.revoked)
    return Accepted(kept, _sorted(after.keys() - held.roots), _sorted(held.roots.keys() - after))


def compromised(listed: TrustList) -> frozenset[str]:
    """Return the fingerprints of the roots that the list calls compromised."""
    return frozenset(root.fingerprint for root in listed.revoked if root.compromised)


def reachable(held: Held, crosses: Iterable[bytes], mistrusted: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """Return the fingerprints of the roots that are held, or certified by one of them, by one of those, and so on.

    A root that is mistrusted, or that the client has seen revoked, certifies nobody and is not returned. A
    cross-certificate that cannot be read or whose signature is wrong is passed over.
    """
    return frozenset(_known(held, crosses, mistrusted))


def bridges(held: Held, crosses: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the cross-certificates (DER) of the shortest ways from what is held: one for each root that is reached.

    For a TLS library, which takes the first issuer of the right name that it finds, and does not go back.
    """
    known = _known(held, crosses, frozenset())
    return tuple(cross.public_bytes(Encoding.DER) for key, cross in known.items() if key not in held.roots)


def leads_to(chain: Iterable[bytes], held: Held, purpose: str) -> str | None:
    """Return the fingerprint of a root that is held and stands above the first certificate of the chain, or None.

    The first one must be for `purpose` (an extendedKeyUsage in dotted form). The others may come in any order; each
    that is passed on the way must be a CA's, and one that is bound to purposes must be bound to this one too (RFC 5280
    does not say so; OpenSSL, Go and NSS enforce it): so an intermediate for TLS makes no key that signs messages. Not
    checked: times and names.
    """
    leaf, *others = [signatures.certificate_of(der) for der in chain]
    if purpose not in (_purposes(leaf) or ()):
        return None
    roots = {key: signatures.certificate_of(der) for key, der in held.roots.items() if key not in held.revoked}
    authorities = [other for other in others if _may_certify(other, purpose)]
    return _climb(leaf, [a for a in authorities if signatures.fingerprint(a) not in held.revoked], roots, DEEPEST)


def _known(held: Held, crosses: Iterable[bytes], mistrusted: AbstractSet[str]) -> dict[str, x509.Certificate]:
    """Return what is held, and what is reached from there, each by the cross-certificate of a shortest way."""
    never = mistrusted | held.revoked
    edges = [edge for der in crosses if (edge := _cross(der))]
    known = {key: signatures.certificate_of(der) for key, der in held.roots.items() if key not in never}
    waiting = list(known.values())
    for issuer in waiting:
        for subject in edges:
            key = signatures.fingerprint(subject)
            if key not in known and key not in never and is_signed_by(subject, issuer):
                known[key] = subject
                waiting.append(subject)
    return known


def _climb(
    below: x509.Certificate, others: list[x509.Certificate], roots: Mapping[str, x509.Certificate], left: int
) -> str | None:
    for key, root in roots.items():
        if is_signed_by(below, root):
            return key
    for above in others if left else ():
        if is_signed_by(below, above):
            rest = [other for other in others if other is not above]
            if found := _climb(above, rest, roots, left - 1):
                return found
    return None


def root_certificates(ders: Iterable[bytes]) -> dict[str, bytes]:
    """Return root certificates by fingerprint; raises WireError for what is no root or comes twice."""
    found: dict[str, bytes] = {}
    for der in ders:
        certificate = signatures.certificate_of(der)
        key = signatures.fingerprint(certificate)
        if not _is_ca(certificate) or not is_signed_by(certificate, certificate):
            raise WireError("A certificate that is called a root's does not sign itself.", code="not-a-root")
        if key in found:
            raise WireError("A root is named twice.", code="contradictory-list")
        found[key] = der
    return found


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's name and key stand behind the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *signatures.UNREADABLE):
        return False
    return True


def _cross(der: bytes) -> x509.Certificate | None:
    try:
        certificate = signatures.certificate_of(der)
    except WireError:
        return None
    return certificate if _is_ca(certificate) else None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *signatures.UNREADABLE):
        return False


def _may_certify(certificate: x509.Certificate, purpose: str) -> bool:
    bound = _purposes(certificate)
    return _is_ca(certificate) and (bound is None or purpose in bound)


def _purposes(certificate: x509.Certificate) -> frozenset[str] | None:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    except signatures.UNREADABLE:
        return frozenset()
    return frozenset(use.dotted_string for use in uses)


def _sorted(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(keys))
