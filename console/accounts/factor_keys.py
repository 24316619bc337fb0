"""Encrypts the secrets of second factors (TOTP, recovery codes) for the database.

Django and allauth keep them in clear unless the project says how: a copy of the database alone must not be enough
to make codes. The key comes from SECRET_KEY, which the database does not hold.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from console.lib.errors import UnavailableError

NONCE_BYTES = 12  # NIST SP 800-38D §5.2.1.1
PURPOSE = b"keystead second factor"


def encrypt(text: str) -> str:
    """Return the text encrypted under the present key, as base64."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, text.encode(), PURPOSE)
    return base64.b64encode(nonce + sealed).decode("ascii")


def decrypt(encrypted: str) -> str:
    """Return the text, also when it was encrypted under a key in SECRET_KEY_FALLBACKS; raises UnavailableError."""
    raw = base64.b64decode(encrypted)
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return AESGCM(_key(str(secret_key))).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], PURPOSE).decode()
        except InvalidTag:
            continue
    raise UnavailableError(
        "The second factor cannot be checked: SECRET_KEY is another one than when it was set up.",
        next_step="Put the old key into SECRET_KEY_FALLBACKS, or have an Administrator remove the second factor.",
    )


def _key(secret_key: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(secret_key.encode())
