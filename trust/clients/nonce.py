"""Nonces that no process has to remember: a time, random bytes, and a MAC over both. Pure.

Every process of the listener accepts those of the others, also on another host of the same server: `key` is derived
from the listener's sealing pair (`trust.issuing`), not from SECRET_KEY, which signs the sessions of the console's users
and has no business where machines are served. A nonce is not spent by its use: it only says how old a proof can be,
and a request that comes again gets the certificate that it got before.
"""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

VALID = timedelta(minutes=5)
AHEAD = timedelta(seconds=60)  # another host of the same server may be this far ahead
TIME_BYTES, RANDOM_BYTES, MAC_BYTES = 8, 16, 32
BYTES = TIME_BYTES + RANDOM_BYTES + MAC_BYTES


def make(key: bytes, now: datetime) -> bytes:
    """Return a nonce of 56 bytes."""
    body = int(now.timestamp()).to_bytes(TIME_BYTES, "big") + secrets.token_bytes(RANDOM_BYTES)
    return body + _mac(key, body)


def is_fresh(key: bytes, nonce: bytes, now: datetime) -> bool:
    """Tell whether `make` with this key made the nonce in the last five minutes."""
    if len(nonce) != BYTES:
        return False
    body, mac = nonce[:-MAC_BYTES], nonce[-MAC_BYTES:]
    if not hmac.compare_digest(_mac(key, body), mac):
        return False
    made_at = datetime.fromtimestamp(int.from_bytes(body[:TIME_BYTES], "big"), UTC)
    return -AHEAD <= now - made_at <= VALID


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, sha256)
