"""RFC 6962 §2.1, against the recursive definition and a published vector."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from trust import merkle


def defined(leaves: list[bytes]) -> bytes:
    """Return MTH(D[n]) as the RFC writes it."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_one_pass_gives_what_the_rfc_defines(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == (defined(leaves).hex(), len(leaves))


def test_a_published_vector() -> None:
    """The tree of seven leaves from the reference implementation of Certificate Transparency."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    root, count = merkle.root(bytes.fromhex(leaf) for leaf in leaves)
    assert (root, count) == ("ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c", 7)
