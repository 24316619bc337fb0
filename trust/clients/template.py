"""The certificates of clients below one intermediate, prepared once: only six fields differ from one to the next.

`make` has `keys.issuance.prepare` validate, profile and lint a sample, takes it apart, and proves that putting it
together again gives the same bytes. `render` then puts in the serial number, the period, the subject, the key and its
identifier, and the host name; everything else is the sample's, byte by byte.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.lib.errors import ConflictError
from keys import goodkey, issuance, names, signing
from keys.goodkey import PublicKey
from keys.profiles import CLIENT_TLS
from keys.signing import Signer
from keys.validity import Period

SEQUENCE, SET, INTEGER, BIT_STRING, OCTET_STRING, UTF8_STRING = b"\x30", b"\x31", b"\x02", b"\x03", b"\x04", b"\x0c"
UTC_TIME, GENERALIZED_TIME, EXTENSIONS, DNS_NAME = b"\x17", b"\x18", b"\xa3", b"\x82"
COMMON_NAME = bytes.fromhex("0603550403")  # id-at-commonName, X.520
SUBJECT_KEY_IDENTIFIER = bytes.fromhex("0603551d0e")  # RFC 5280 §4.2.1.2
SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")  # RFC 5280 §4.2.1.6
VERSION_3 = bytes.fromhex("a003020102")
UTC_TIME_ENDS = 2050  # RFC 5280 §4.1.2.5
SAMPLE = "sample.invalid"  # RFC 6761 §6.4: nobody's name


@dataclass(frozen=True)
class Variable:
    """What differs. `serial` is positive, `name` a host name in lower case, `spki_der` a key that goodkey allows."""

    serial: int
    period: Period
    name: str
    spki_der: bytes


@dataclass(frozen=True)
class Template:
    """`algorithm` is the DER AlgorithmIdentifier; the extensions stand in the order of the profile."""

    issuer_key: PublicKey
    algorithm: bytes
    issuer: bytes
    before_key_identifier: bytes
    between: bytes

    def render(self, variable: Variable) -> bytes:
        """Return the DER TBSCertificate (RFC 5280 §4.1)."""
        period = variable.period
        serial = variable.serial.to_bytes(variable.serial.bit_length() // 8 + 1, "big")
        extensions = (
            self.before_key_identifier
            + _extension(SUBJECT_KEY_IDENTIFIER, _tlv(OCTET_STRING, issuance.key_identifier(variable.spki_der)))
            + self.between
            + _extension(SUBJECT_ALT_NAME, _tlv(SEQUENCE, _tlv(DNS_NAME, variable.name.encode("ascii"))))
        )
        return _tlv(
            SEQUENCE,
            VERSION_3
            + _tlv(INTEGER, serial)
            + self.algorithm
            + self.issuer
            + _tlv(SEQUENCE, _time(period.not_before) + _time(period.not_after))
            + _subject(variable.name)
            + variable.spki_der
            + _tlv(EXTENSIONS, _tlv(SEQUENCE, extensions)),
        )

    def issue(self, variable: Variable, signer: Signer) -> bytes:
        """Sign once and return the certificate, DER, after reading it again.

        Raises ConflictError (what came out is not what was meant) and UnavailableError (a signature that is wrong).
        """
        tbs = self.render(variable)
        signature = signing.sign_intended(tbs, self.issuer_key, signer)
        der = _tlv(SEQUENCE, tbs + self.algorithm + _tlv(BIT_STRING, b"\0" + signature))
        if not _says(der, tbs, variable):
            raise ConflictError("The signed certificate differs from the intended one. It was thrown away.")
        return der


def new_serial() -> int:
    """Return a serial number of 159 random bits but the first (RFC 5280 §4.1.2.2)."""
    return secrets.randbits(issuance.SERIAL_BITS - 1) | 1 << (issuance.SERIAL_BITS - 1)


@lru_cache(maxsize=4)
def make(issuer_der: bytes) -> Template:
    """Return the template below an intermediate, linted. Raises as `keys.issuance.prepare`, and ConflictError."""
    issuer = x509.load_der_x509_certificate(issuer_der)
    # Once: two threads that come here at the same time have one each, whatever the cache keeps.
    key = _sample_key()
    sample = issuance.prepare(
        CLIENT_TLS,
        name=SAMPLE,
        subject_spki=key,
        # A moment at which every intermediate is valid; the period is variable.
        now=issuer.not_valid_after_utc - (issuer.not_valid_after_utc - issuer.not_valid_before_utc) / 2,
        issuer=issuer_der,
        hours=1,
        dns_names=(SAMPLE,),
    )
    template = _take_apart(asn1.TbsCertificate.load(sample.tbs, strict=True), sample.issuer_spki)
    variable = Variable(sample.serial, sample.period, SAMPLE, key)
    if template.render(variable) != sample.tbs:
        raise ConflictError("The prepared profile does not give the linted certificate. Nothing is signed with it.")
    return template


def _take_apart(tbs: asn1.TbsCertificate, issuer_spki: bytes) -> Template:
    extensions = [extension.dump() for extension in tbs["extensions"]]
    kinds = [extension["extn_id"].native for extension in tbs["extensions"]]
    identifier = kinds.index("key_identifier")
    if kinds[-1] != "subject_alt_name":
        raise ConflictError("The profile of client certificates has another order than its template.")
    return Template(
        issuer_key=goodkey.check(issuer_spki),
        algorithm=tbs["signature"].dump(),
        issuer=tbs["issuer"].dump(),
        before_key_identifier=b"".join(extensions[:identifier]),
        between=b"".join(extensions[identifier + 1 : -1]),
    )


@lru_cache(maxsize=1)
def _sample_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _says(der: bytes, tbs: bytes, variable: Variable) -> bool:
    """Read the certificate with another parser than the one that wrote it."""
    found = x509.load_der_x509_certificate(der)
    hosts = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        found.tbs_certificate_bytes == tbs
        and found.serial_number == variable.serial
        and Period(found.not_valid_before_utc, found.not_valid_after_utc) == variable.period
        and [name.value for name in found.subject] == [names.common_name(variable.name)]
        and list(hosts) == [x509.DNSName(variable.name)]
        and tbs.count(variable.spki_der) == 1
    )


def _subject(name: str) -> bytes:
    value = _tlv(UTF8_STRING, names.common_name(name).encode())
    return _tlv(SEQUENCE, _tlv(SET, _tlv(SEQUENCE, COMMON_NAME + value)))


def _extension(oid: bytes, value: bytes) -> bytes:
    return _tlv(SEQUENCE, oid + _tlv(OCTET_STRING, value))


def _time(moment: datetime) -> bytes:
    moment = moment.astimezone(UTC)
    if moment.year < UTC_TIME_ENDS:
        return _tlv(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return _tlv(GENERALIZED_TIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _tlv(tag: bytes, content: bytes) -> bytes:
    """Return one DER element (X.690 §8.1, §10.1)."""
    size = len(content)
    if size < 0x80:
        return tag + bytes((size,)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return tag + bytes((0x80 | len(length),)) + length + content
