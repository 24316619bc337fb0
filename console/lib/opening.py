"""The sealing pair of this server. For the worker; import contracts keep it from the web and from the listener."""

from functools import cache

from console import env
from console.lib.sealingpair import SealingPair


@cache
def worker_pair() -> SealingPair:
    """Return the pair of this server, read once for each worker process."""
    return SealingPair.load(env.state_path("KEYSTEAD_SEALING_KEY_FILE", "secrets/sealing.key"))
