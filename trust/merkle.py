"""The Merkle tree hash of RFC 6962 §2.1 with SHA-256: pure, and in one pass over any number of leaves."""

from collections.abc import Iterable
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"


def root(leaves: Iterable[bytes]) -> tuple[str, int]:
    """Return the tree hash, hex, and the number of leaves; of none it is the hash of nothing."""
    peaks: list[bytes] = []  # hashes of full trees, the largest first: one for each bit of the count
    count = 0
    for leaf in leaves:
        node = sha256(LEAF + leaf).digest()
        size = count = count + 1
        while size % 2 == 0:
            node = sha256(NODE + peaks.pop() + node).digest()
            size //= 2
        peaks.append(node)
    if not peaks:
        return sha256().hexdigest(), 0
    node = peaks.pop()
    while peaks:
        node = sha256(NODE + peaks.pop() + node).digest()
    return node.hex(), count
