"""From the fault of the first gateway to the first signature through the second one: dead, and frozen."""

import secrets
import time

from bench.figures import p50
from bench.gatewaysite import Stage, gateways
from hsm.device.base import KeySpec, SignatureScheme
from hsm.device.group import GroupDevice

ROUNDS = 5
DEADLINE_S = 2.0
LIMITS = {"dead, slowest s": 0.5, "frozen, slowest s after the deadline": 2}
SCHEME = SignatureScheme.ECDSA_SHA256


def measure() -> dict[str, float]:
    """Return the median and the slowest of both."""
    with gateways(2) as stage, stage.group(DEADLINE_S) as group:
        key_id = secrets.token_bytes(16)
        group.generate_key_pair(key_id, KeySpec.EC_P256, "bench")
        dead, frozen = [], []
        for _ in range(ROUNDS):
            stage.gateways[0].kill()
            dead.append(taken_over(group, key_id))
            stage.gateways[0].start()
            back_in_service(stage, group, key_id)
            stage.gateways[0].freeze()
            frozen.append(taken_over(group, key_id) - DEADLINE_S)
            stage.gateways[0].thaw()
            back_in_service(stage, group, key_id)
    return {
        "dead, p50 s": p50(dead),
        "dead, slowest s": max(dead),
        "frozen, p50 s after the deadline": p50(frozen),
        "frozen, slowest s after the deadline": max(frozen),
    }


def taken_over(group: GroupDevice, key_id: bytes) -> float:
    """Return how long a signature takes that the second gateway has to make."""
    began = time.perf_counter()
    group.sign(key_id, bytes(32), SCHEME)
    taken = time.perf_counter() - began
    assert group.served_by == "gateway 1", group.served_by
    return taken


def back_in_service(stage: Stage, group: GroupDevice, key_id: bytes) -> None:
    """Wait until the first gateway serves the group again."""
    stage.wait_for(0)
    stage.clock.skipped += 61
    group.sign(key_id, bytes(32), SCHEME)
    assert group.served_by == "gateway 0", group.served_by
