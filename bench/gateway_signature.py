"""One signature through worker, gateway and SoftHSM on a kept connection, beside python-pkcs11 alone; and many at once.

The same token and key, in turns. The worker's side is the group of one connection, in this process.
"""

import secrets
import threading
import time

from bench import bare
from bench.figures import p50, p95, times_ms
from bench.gatewaysite import gateways
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.group import GroupDevice

ROUNDS, CALLS = 4, 250
SECONDS = 4.0
AT_ONCE = (1, 8, 32)
LIMITS = {"more than python-pkcs11, p50 ms": 5}
SCHEME = SignatureScheme.ECDSA_SHA256
DIGEST = bytes(32)


def measure() -> dict[str, float]:
    """Return times of single signatures, and signatures a second."""
    with gateways(1) as stage, stage.group() as group:
        key_id = secrets.token_bytes(16)
        group.generate_key_pair(key_id, KeySpec.EC_P256, "bench")
        where = (stage.token.label, stage.token.pin, key_id, stage.farm.environment)
        through: list[float] = []
        alone: list[float] = []
        for _ in range(ROUNDS):
            through += times_ms(lambda: group.sign(key_id, DIGEST, SCHEME), CALLS)
            alone += bare.times_ms(*where, seconds=0.5)
        figures = {
            "through the gateway, p50 ms": p50(through),
            "through the gateway, p95 ms": p95(through),
            "python-pkcs11, p50 ms": p50(alone),
            "python-pkcs11, p95 ms": p95(alone),
            "more than python-pkcs11, p50 ms": p50(through) - p50(alone),
        }
        for threads in AT_ONCE:
            figures[f"{threads} at once through the gateway, 1/s"] = a_second(group, key_id, threads)
            figures[f"{threads} at once, python-pkcs11, 1/s"] = bare.a_second(*where, threads, seconds=SECONDS)
    return figures


def a_second(group: GroupDevice, key_id: bytes, threads: int) -> float:
    """Return the signatures a second of so many threads, each with its own connection."""
    end = time.perf_counter() + SECONDS
    counts = [0] * threads

    def sign(number: int) -> None:
        while time.perf_counter() < end:
            group.sign(key_id, DIGEST, SCHEME)
            counts[number] += 1

    workers = [threading.Thread(target=sign, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / SECONDS
