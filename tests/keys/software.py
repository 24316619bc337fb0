"""A small hierarchy of software keys, made the way the console makes its own."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys import issuance
from keys.profiles import Profile
from keys.purposes import PURPOSES, Purpose
from keys.signing import Signer, spki_of

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FQDN = "ts1.example.com"


@dataclass(frozen=True)
class Certified:
    """A private key with its certificate, DER."""

    key: Signer
    der: bytes

    @property
    def spki(self) -> bytes:
        return spki_of(self.key.public_key())


def new_key(purpose: Purpose) -> Signer:
    """Return a key of the kind that the purpose asks for."""
    name = PURPOSES[purpose].spec.name
    if name.startswith("RSA"):
        return rsa.generate_private_key(65537, int(name[4:]))
    return ec.generate_private_key({"EC_P256": ec.SECP256R1(), "EC_P384": ec.SECP384R1()}[name])


def root(number: int = 0, *, purpose: Purpose = Purpose.ROOT, now: datetime = NOW) -> Certified:
    """Return a self-signed root."""
    facts, key = PURPOSES[purpose], new_key(purpose)
    prepared = issuance.prepare(
        facts.profile, name=facts.name(FQDN, number), subject_spki=spki_of(key.public_key()), now=now, spec=facts.spec
    )
    return Certified(key, issuance.issue(prepared, key))


def below(
    issuer: Certified,
    purpose: Purpose,
    *,
    hours: int = 24,
    now: datetime = NOW,
    fqdn: str = FQDN,
    key: Signer | None = None,
) -> Certified:
    """Return a key certified by `issuer`."""
    facts, key = PURPOSES[purpose], key or new_key(purpose)
    prepared = issuance.prepare(
        facts.profile,
        name=facts.name(fqdn),
        subject_spki=spki_of(key.public_key()),
        now=now,
        issuer=issuer.der,
        hours=hours,
        dns_names=dns_names(facts.profile, fqdn),
        spec=facts.spec,
    )
    return Certified(key, issuance.issue(prepared, issuer.key))


def dns_names(profile: Profile, fqdn: str) -> tuple[str, ...]:
    """Return the host names that a certificate of this profile carries."""
    return () if profile.dns_names.value == "none" else (fqdn,)
