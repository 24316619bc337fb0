"""What the worker hands to the listener: keys in use, and the certificates around them. Pure: bytes in, bytes out."""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from console.lib.digest import timestamp
from keys.purposes import Purpose
from keys.signing import Signer

VERSION = 1


@dataclass(frozen=True)
class IssuingKey:
    """A key in use. `id` is that of its Subordinate row; `chain_der` follows the certificate in a TLS handshake."""

    id: UUID
    private_key: Signer = field(repr=False)
    certificate: x509.Certificate
    chain_der: tuple[bytes, ...] = ()

    @cached_property
    def certificate_der(self) -> bytes:
        """The certificate, DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The key in PEM, then its certificate and the chain: what OpenSSL loads. It is secret."""
        key = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = (x509.load_der_x509_certificate(der) for der in self.chain_der)
        return key + b"".join(item.public_bytes(Encoding.PEM) for item in (self.certificate, *chain))


@dataclass(frozen=True)
class Issuing:
    """Everything the listener works with.

    `roots_der` are the active numbered roots, newest first: whom a client's certificate may stand below.
    `crosses_der` are the cross-certificates among roots that are not revoked as compromised. `intermediates_der` are
    those that are not revoked: a client that sends its certificate without its issuer is understood all the same.
    `legacy_tls` is there while protocol 314 is enabled.
    """

    made_at: datetime
    client_ca: IssuingKey
    server_tls: IssuingKey
    legacy_tls: IssuingKey | None
    roots_der: tuple[bytes, ...]
    crosses_der: tuple[bytes, ...]
    intermediates_der: tuple[bytes, ...]


PURPOSES = {
    "client_ca": Purpose.CLIENT_TLS_CA,
    "server_tls": Purpose.SERVER_TLS,
    "legacy_tls": Purpose.LEGACY_SERVER_TLS,
}

LISTS = ("roots_der", "crosses_der", "intermediates_der")


def encode(issuing: Issuing) -> bytes:
    """Return it as JSON, private keys in clear: seal it before it goes anywhere."""
    lists = {name: [_text(der) for der in getattr(issuing, name)] for name in LISTS}
    keys = {name: _encode_key(key) for name in PURPOSES if (key := getattr(issuing, name)) is not None}
    return json.dumps({"version": VERSION, "made_at": timestamp(issuing.made_at), "keys": keys, **lists}).encode()


def decode(content: bytes) -> Issuing:
    """Return what `encode` wrote; raises ValueError for anything else."""
    try:
        read = json.loads(content)
        if read["version"] != VERSION:
            raise ValueError(f"Version {read['version']} of the issuing file is not known here.")
        keys = {name: _decode_key(value) for name, value in read["keys"].items()}
        lists = {name: _ders(read[name]) for name in LISTS}
        return Issuing(
            made_at=datetime.fromisoformat(read["made_at"]),
            client_ca=keys["client_ca"],
            server_tls=keys["server_tls"],
            legacy_tls=keys.get("legacy_tls"),
            **lists,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("The issuing file lacks a part.") from error


def _encode_key(key: IssuingKey) -> dict[str, object]:
    pkcs8 = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {
        "id": str(key.id),
        "pkcs8": _text(pkcs8),
        "certificate": _text(key.certificate_der),
        "chain": [_text(der) for der in key.chain_der],
    }


def _decode_key(read: dict[str, Any]) -> IssuingKey:
    private_key = load_der_private_key(_bytes(read["pkcs8"]), password=None)
    if not isinstance(private_key, Signer):
        raise ValueError("The issuing file holds a key of an unknown kind.")  # noqa: TRY004 - a bad file, not a bad call
    return IssuingKey(
        UUID(read["id"]),
        private_key,
        x509.load_der_x509_certificate(_bytes(read["certificate"])),
        _ders(read["chain"]),
    )


def _ders(read: object) -> tuple[bytes, ...]:
    if not isinstance(read, list):
        raise TypeError
    return tuple(map(_bytes, read))


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode("ascii")
