"""The client's own keys: EC P-256, made here, never sent anywhere (KEY-44)."""

import secrets
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from trust.agent import files
from trust.agent.errors import SetupError


class Keys:
    """The folder `keys`: for each name a private key (`.key`, PKCS#8, 0600) and, once certified, its chain (`.crt`)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def make(self) -> str:
        """Make a key and return its name; it is on the disk when this returns."""
        name = secrets.token_hex(8)
        key = ec.generate_private_key(ec.SECP256R1())
        files.write(self.key_path(name), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return name

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Return a private key; raises SetupError if it is not there or damaged."""
        try:
            key = load_pem_private_key(self.key_path(name).read_bytes(), None)
        except (OSError, ValueError) as error:
            raise SetupError("The private key of this client cannot be read.", code="key-missing") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SetupError("The private key of this client is not of its kind.", code="key-missing")
        return key

    def certify(self, name: str, chain: tuple[bytes, ...]) -> None:
        """Keep the certificate beside its key, in the form that `ssl` reads: PEM, the certificate first."""
        pem = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)
        files.write(self.certificate_path(name), pem)

    def key_path(self, name: str) -> Path:
        """Return where the private key is."""
        return self._folder / f"{name}.key"

    def certificate_path(self, name: str) -> Path:
        """Return where the certificate is."""
        return self._folder / f"{name}.crt"

    def keep_only(self, names: set[str]) -> None:
        """Delete every other key."""
        for path in self._folder.iterdir():
            if path.stem.lstrip(".").removesuffix(".key").removesuffix(".crt") not in names:
                with suppress(FileNotFoundError):
                    path.unlink()


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
