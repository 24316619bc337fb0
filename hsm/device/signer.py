"""Private keys of `cryptography` that live on a Device, so that its X.509 builders can sign with them.

Each signature is verified with the public key before it is returned: a wrong handle, a faulty device or a key that was
swapped never yields a certificate.
"""

import hashlib
from typing import Any, NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from hsm.device import spki
from hsm.device.base import Device, SignatureScheme
from hsm.device.codes import error_for

Buffer = bytes | bytearray | memoryview
ECDSA_SCHEMES = {
    "sha256": SignatureScheme.ECDSA_SHA256,
    "sha384": SignatureScheme.ECDSA_SHA384,
    "sha512": SignatureScheme.ECDSA_SHA512,
}
PKCS1V15_SCHEMES = {
    "sha256": SignatureScheme.RSA_PKCS1V15_SHA256,
    "sha384": SignatureScheme.RSA_PKCS1V15_SHA384,
}
PSS_SALTS = (padding.PSS.DIGEST_LENGTH, 32)
PSS_SCHEMES = {"sha256": SignatureScheme.RSA_PSS_SHA256}


def _refuse(_key: Any, *_args: Any, **_options: Any) -> NoReturn:
    """Stand for what a key on a device does not do: it signs, and nothing else."""
    raise error_for("CKR_KEY_UNEXTRACTABLE")


class _DeviceKey:
    """What both kinds share: the key stays where it is, and signs there."""

    def __init__(self, device: Device, key_id: bytes, public: spki.PublicKey) -> None:
        self._device = device
        self._key_id = key_id
        self._public = public

    def _sign(self, data: Buffer, algorithm: Any, schemes: dict[str, SignatureScheme]) -> bytes:
        prehashed = isinstance(algorithm, Prehashed)
        name = str((algorithm._algorithm if prehashed else algorithm).name)  # noqa: SLF001 - it has no accessor
        if name not in schemes:
            raise error_for("SCHEME_MISMATCH")
        scheme = schemes[name]
        digest = bytes(data) if prehashed else hashlib.new(name, data).digest()
        signature = self._device.sign(self._key_id, digest, scheme)
        if not spki.verifies(self._public, signature, digest, scheme):
            raise error_for("SIGNATURE_WRONG")
        return signature

    @property
    def key_size(self) -> int:
        """The size of the key, in bits."""
        return self._public.key_size

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._key_id.hex()}>"


class DeviceEllipticCurvePrivateKey(_DeviceKey, ec.EllipticCurvePrivateKey):
    """An EC key on a device; signs with ECDSA, refuses everything else."""

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half."""
        assert isinstance(self._public, ec.EllipticCurvePublicKey)  # noqa: S101 - for the type checker
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self.public_key().curve

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Sign on the device; DER ECDSA-Sig-Value. Raises DeviceError."""
        return self._sign(data, signature_algorithm.algorithm, ECDSA_SCHEMES)

    exchange = _refuse
    private_numbers = _refuse
    private_bytes = _refuse


class DeviceRSAPrivateKey(_DeviceKey, rsa.RSAPrivateKey):
    """An RSA key on a device; signs with PKCS #1 v1.5 or PSS, refuses everything else."""

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public half."""
        assert isinstance(self._public, rsa.RSAPublicKey)  # noqa: S101 - for the type checker
        return self._public

    def sign(self, data: Buffer, padding: padding.AsymmetricPadding, algorithm: Any) -> bytes:
        """Sign on the device. Raises DeviceError."""
        return self._sign(data, algorithm, _rsa_schemes(padding))

    decrypt = _refuse
    private_numbers = _refuse
    private_bytes = _refuse


def device_private_key(
    device: Device, key_id: bytes, spki_der: bytes
) -> DeviceEllipticCurvePrivateKey | DeviceRSAPrivateKey:
    """Return a private key object for a key on a device; `spki_der` is its public half.

    The device is not asked: a key that is not there shows when it is to sign. Raises DeviceError for an odd SPKI.
    """
    public = spki.load(spki_der)
    kind = DeviceEllipticCurvePrivateKey if isinstance(public, ec.EllipticCurvePublicKey) else DeviceRSAPrivateKey
    return kind(device, key_id, public)


def _rsa_schemes(chosen: padding.AsymmetricPadding) -> dict[str, SignatureScheme]:
    if isinstance(chosen, padding.PKCS1v15):
        return PKCS1V15_SCHEMES
    # PSS with MGF1 over the same hash and a salt as long as the digest (RFC 8017 §9.1), which is what the tokens do.
    if isinstance(chosen, padding.PSS) and isinstance(chosen.mgf, padding.MGF1):
        is_plain = isinstance(chosen.mgf._algorithm, hashes.SHA256) and chosen._salt_length in PSS_SALTS  # noqa: SLF001 - no accessors
        return PSS_SCHEMES if is_plain else {}
    return {}
