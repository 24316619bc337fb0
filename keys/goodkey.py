"""Whether a public key may be certified. Pure; what makes a key weak stands in `hsm.device.strength`."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from console.lib.errors import InvalidError
from hsm.device import strength
from hsm.device.base import KeySpec

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class WeakKeyError(InvalidError):
    """The public key must not be certified."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(
            f"{message} Nothing was signed.",
            code=code,
            next_step="Have a new key made and ask for its signature.",
        )


def check(spki_der: bytes, spec: KeySpec | None = None) -> PublicKey:
    """Return the key of a DER SubjectPublicKeyInfo; raises WeakKeyError.

    With `spec` the key must be exactly of that kind.
    """
    key = _parse(spki_der)
    try:
        found = strength.spec_of(key)
    except strength.WeaknessError as error:
        raise WeakKeyError(error.message, error.code) from error
    if spec is not None and found is not spec:
        raise WeakKeyError(f"The key is {found.name}, but {spec.name} is needed here.", "wrong-kind-of-key")
    return key


def _parse(spki_der: bytes) -> PublicKey:
    # The library validates the point as NIST SP 800-56A r3 §5.6.2.3.3 asks: in range, on the curve, not at
    # infinity. All three curves have cofactor 1, so such a point has the right order.
    try:
        key = load_der_public_key(spki_der)
        canonical = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WeakKeyError("The public key cannot be read, or is no point of its curve.", "bad-key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise WeakKeyError("Only EC and RSA keys are certified.", "wrong-kind-of-key")
    if canonical != spki_der:
        # Two spellings of one key would have two fingerprints. RFC 5480 §2: a named curve, an uncompressed
        # point.
        raise WeakKeyError("The public key is not in its one DER form.", "not-canonical")
    return key
