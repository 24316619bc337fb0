"""Certificate profiles: pure data. What the fields mean to the linter stands in `keys.lint`, rule by rule.

Sources: RFC 5280 (profile of certificates and CRLs), RFC 5480 §3 (keyUsage of EC keys), RFC 8446 §4.4.2.2
(TLS certificates), RFC 4210 §4.4 (cross-certificates of a key change), RFC 7093 §2 (key identifiers).
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from cryptography.x509.oid import ExtendedKeyUsageOID

MESSAGE_SIGNING_EKU = "1.2.840.113556.1.8000.2554.11844.7983.2183.17371.41920.4536775.6377541"
"""Our own key purpose, "signs messages to clients". RFC 5280 §4.2.1.12 lets any organisation define one, and none that
is registered fits: code signing would make an operating system trust the key for programs, document signing
(RFC 9336) is for what people read. With a purpose of its own a message-signing key cannot pass for a TLS peer, nor a
TLS key sign a message. The number is a random UUID under the arc that Microsoft keeps for OIDs made so: the
registration-free arc 2.25 has one number of 128 bits, which 32-bit decoders (pkilint, Go) refuse."""


class KeyUse(StrEnum):
    """Bits of keyUsage that we set, as cryptography and asn1crypto (in snake case) name them (RFC 5280 §4.2.1.3)."""

    DIGITAL_SIGNATURE = "digital_signature"
    KEY_CERT_SIGN = "key_cert_sign"
    CRL_SIGN = "crl_sign"


class DnsNames(Enum):
    """Whether subjectAltName holds DNS names."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"  # RFC 9525 §2: a TLS server is named in subjectAltName, never by its common name


@dataclass(frozen=True)
class Profile:
    """What a certificate of this kind holds; everything not named here is absent.

    `never_expires` asks for notAfter 99991231235959Z (RFC 5280 §4.1.2.5). `path_length` None leaves
    pathLenConstraint out (RFC 5280 §4.2.1.9).
    """

    name: str
    key_usage: frozenset[KeyUse]
    is_ca: bool = False
    self_signed: bool = False
    never_expires: bool = False
    path_length: int | None = None
    extended_key_usage: tuple[str, ...] = ()
    dns_names: DnsNames = DnsNames.NONE


# digitalSignature: a root also signs revocation directives and the initial trust bundle, which are neither
# certificates nor CRLs (RFC 5280 §4.2.1.3).
ROOT_USE = frozenset({KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN, KeyUse.DIGITAL_SIGNATURE})
CA_USE = frozenset({KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN})
# TLS 1.3 and every ECDHE suite only sign with the certificate's key (RFC 8446 §4.4.2.2, RFC 8422 §5.4).
SIGNING_USE = frozenset({KeyUse.DIGITAL_SIGNATURE})
# Every component is a TLS server to some peers and a TLS client to others, clients among themselves included.
TLS_BOTH_WAYS = (ExtendedKeyUsageOID.SERVER_AUTH.dotted_string, ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string)

# KEY-39: a root never expires. No pathLenConstraint: a cross-certificate may stand below it.
ROOT = Profile("root", ROOT_USE, is_ca=True, self_signed=True, never_expires=True)
LEGACY_ROOT = Profile("legacy-root", ROOT_USE, is_ca=True, self_signed=True, never_expires=True)
# RFC 4210 §4.4: a root's key, certified by another root. Below it one intermediate: path length 1.
CROSS = Profile("cross", ROOT_USE, is_ca=True, never_expires=True, path_length=1)
# An intermediate signs TLS certificates only: no CA below it, and its extendedKeyUsage bounds theirs
# (RFC 5280 §4.2.1.12 does not say so; OpenSSL, Go and NSS enforce it).
INTERMEDIATE = Profile("intermediate", CA_USE, is_ca=True, path_length=0, extended_key_usage=TLS_BOTH_WAYS)
SERVER_TLS = Profile("server-tls", SIGNING_USE, extended_key_usage=TLS_BOTH_WAYS, dns_names=DnsNames.REQUIRED)
COMPONENT_TLS = Profile("component-tls", SIGNING_USE, extended_key_usage=TLS_BOTH_WAYS, dns_names=DnsNames.REQUIRED)
CLIENT_TLS = Profile("client-tls", SIGNING_USE, extended_key_usage=TLS_BOTH_WAYS, dns_names=DnsNames.OPTIONAL)
MESSAGE_SIGNING = Profile("message-signing", SIGNING_USE, extended_key_usage=(MESSAGE_SIGNING_EKU,))

PROFILES = {
    profile.name: profile
    for profile in (
        ROOT,
        LEGACY_ROOT,
        CROSS,
        INTERMEDIATE,
        SERVER_TLS,
        COMPONENT_TLS,
        CLIENT_TLS,
        MESSAGE_SIGNING,
    )
}
