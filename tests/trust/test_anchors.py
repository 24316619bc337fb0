"""Which roots count: drawn histories of roots, with real certificates."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise, permutations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.trust import authorities
from tests.trust.authorities import MESSAGE_SIGNING, TLS, Holder
from trust import anchors
from trust.anchors import Held
from trust.wire.documents import TrustList
from trust.wire.errors import WireError

COUNT = 5
NUMBERS = range(COUNT)
subsets = st.frozensets(st.sampled_from(NUMBERS))
edges = st.frozensets(st.sampled_from(list(permutations(NUMBERS, 2))))


@cache
def root(number: int) -> Holder:
    return authorities.root(f"server.example Root {number}")


@cache
def cross(by: int, subject: int) -> bytes:
    return authorities.cross(root(subject), by=root(by))


def held(numbers: Iterable[int], revoked: Iterable[int] = ()) -> Held:
    gone = frozenset(root(number).fingerprint for number in revoked)
    return Held({root(number).fingerprint: root(number).der for number in numbers}, gone)


def numbers_of(found: Held) -> set[int]:
    return {number for number in NUMBERS if root(number).fingerprint in found.roots}


def listing(
    roots: Iterable[int],
    crosses: Iterable[tuple[int, int]] = (),
    gone: Iterable[int] = (),
    compromised: Iterable[int] = (),
) -> TrustList:
    return authorities.trust_list(
        [root(number) for number in roots],
        [cross(by, subject) for by, subject in crosses],
        [authorities.revoked(root(number), compromised=number in set(compromised)) for number in gone],
    )


def walks(start: set[int], crosses: Iterable[tuple[int, int]], never: set[int]) -> set[int]:
    """Another way to say what is reachable: every path without repetition, one by one."""
    found = start - never
    return {
        path[-1]
        for first in found
        for length in NUMBERS
        for path in ((first, *rest) for rest in permutations(set(NUMBERS) - {first}, length))
        if all(pair in crosses for pair in pairwise(path)) and not never & set(path)
    }


@given(subsets, subsets, subsets, subsets, subsets, edges, st.sampled_from(NUMBERS))
def test_a_list_is_believed_exactly_if_a_clean_path_leads_to_its_signer(
    mine: frozenset[int],
    remembered: frozenset[int],
    active: frozenset[int],
    gone: frozenset[int],
    compromised: frozenset[int],
    crosses: frozenset[tuple[int, int]],
    signer: int,
) -> None:
    before = held(mine - remembered, remembered)
    listed = listing(active, crosses, gone, compromised)
    believed = (
        not active & gone
        and signer in active
        and signer in walks(set(mine - remembered), crosses, set(remembered | (gone & compromised)))
    )
    try:
        after = anchors.accept(before, listed, root(signer).der).held
    except WireError:
        assert not believed
    else:
        assert believed
        # What is neither named nor revoked stays; what was revoked once does not come.
        assert numbers_of(after) == (mine | active) - gone - remembered
        assert after.revoked == held((), remembered | gone).revoked


@given(st.lists(st.tuples(subsets, subsets, subsets, edges, st.sampled_from(NUMBERS)), max_size=6), subsets)
def test_a_revoked_root_is_never_held_again(
    lists: Sequence[tuple[frozenset[int], frozenset[int], frozenset[int], frozenset[tuple[int, int]], int]],
    mine: frozenset[int],
) -> None:
    now, ever = held(mine), set[str]()
    for active, gone, compromised, crosses, signer in lists:
        listed = listing(active, crosses, gone, compromised)
        try:
            now = anchors.accept(now, listed, root(signer).der).held
        except WireError:
            continue
        now = anchors.reset(now, listed).held
        ever |= now.revoked
        assert not ever & now.roots.keys()
        assert now.revoked == ever


@st.composite
def histories(draw: st.DrawFn) -> list[TrustList]:
    """Return the lists of a server whose roots come one by one, cross-certified with those active, and go by policy."""
    active, gone, crosses, lists = [0], list[int](), set[tuple[int, int]](), [listing([0])]
    for number in range(1, COUNT):
        crosses |= {pair for old in active for pair in ((old, number), (number, old))}
        active.append(number)
        lists.append(listing(active, crosses, gone))
        leaving = draw(st.sets(st.sampled_from(active[:-1])))
        active, gone = [one for one in active if one not in leaving], [*gone, *sorted(leaving)]
        lists.append(listing(active, crosses, gone))
    return lists


@settings(max_examples=60)
@given(histories(), st.data())
def test_policy_carries_over_whoever_held_any_root_whatever_was_missed(
    lists: list[TrustList], data: st.DataObject
) -> None:
    began = data.draw(st.sampled_from(NUMBERS))
    first = next(place for place, one in enumerate(lists) if len(one.roots) + len(one.revoked) > began)
    seen = data.draw(st.sets(st.sampled_from(range(first, len(lists)))).map(sorted))
    now, straight = held([began]), held([began])
    for place in [*seen, len(lists) - 1]:
        now = anchors.accept(now, lists[place], lists[place].roots[-1].certificate).held
    straight = anchors.accept(straight, lists[-1], lists[-1].roots[-1].certificate).held
    assert now.roots == straight.roots
    assert now.revoked == straight.revoked
    assert set(now.roots.values()) == {listed.certificate for listed in lists[-1].roots}


@settings(max_examples=40)
@given(subsets, edges, st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
def test_who_holds_only_a_compromised_root_is_carried_over_by_nobody(
    active: frozenset[int], crosses: frozenset[tuple[int, int]], lost: int, signer: int
) -> None:
    assume(signer in active - {lost})
    with pytest.raises(WireError, match="No root that is held"):
        anchors.accept(held([lost]), listing(active - {lost}, crosses, [lost], [lost]), root(signer).der)


def test_bridges_are_the_shortest_ways_one_to_each_root() -> None:
    every = [cross(by, subject) for by, subject in [(2, 3), (0, 1), (1, 2), (0, 2), (1, 3), (3, 4), (3, 0)]]
    assert anchors.bridges(held([0]), every) == (cross(0, 1), cross(0, 2), cross(1, 3), cross(3, 4))
    assert anchors.bridges(held([4]), every) == ()
    assert anchors.bridges(held([0], revoked=[1, 2]), every) == ()


def test_a_forged_cross_certificate_leads_nowhere() -> None:
    forged = authorities.certificate(
        root(1).name, root(1).key.public_key(), issuer=root(0).name, by=root(2).key, is_ca=True
    )
    assert anchors.reachable(held([0]), [forged, b"not a certificate"]) == held([0]).roots.keys()


def test_a_leaf_below_a_root_certifies_no_other_root() -> None:
    leaf = authorities.certificate(root(1).name, root(1).key.public_key(), issuer=root(0).name, by=root(0).key)
    assert anchors.reachable(held([0]), [leaf]) == held([0]).roots.keys()


@pytest.mark.parametrize(
    ("listed", "signer", "code"),
    [
        (lambda: listing([0, 1], gone=[0]), 1, "contradictory-list"),
        (lambda: listing([0, 0]), 0, "contradictory-list"),
        (lambda: listing([1]), 0, "foreign-list"),
        (lambda: listing([1]), 1, "unknown-signer"),
        (lambda: authorities.trust_list([authorities.below(root(0), "no root", is_ca=True)]), 0, "not-a-root"),
        (lambda: authorities.trust_list([Holder("rubbish", root(0).key, b"rubbish")]), 0, "bad-certificate"),
    ],
)
def test_a_list_that_does_not_hold_is_refused(listed: object, signer: int, code: str) -> None:
    with pytest.raises(WireError) as refused:
        anchors.accept(held([0]), listed(), root(signer).der)  # type: ignore[operator]
    assert refused.value.code == code


def test_an_order_to_reset_forgets_what_the_list_does_not_name() -> None:
    reset = anchors.reset(held([0, 1, 2], [3]), listing([1, 3]))
    assert numbers_of(reset.held) == {1}
    assert reset.dropped == tuple(sorted(root(number).fingerprint for number in (0, 2)))


def test_an_order_to_reset_never_leaves_a_client_without_a_root() -> None:
    assert numbers_of(anchors.reset(held([0], [1]), listing([1])).held) == {0}


def test_a_chain_leads_to_the_root_that_is_held() -> None:
    intermediate = authorities.below(root(0), "intermediate", is_ca=True, purposes=TLS)
    leaf = authorities.below(intermediate, "client", purposes=TLS)
    assert anchors.leads_to((leaf.der, intermediate.der), held([0, 1]), TLS[1]) == root(0).fingerprint
    assert anchors.leads_to((leaf.der,), held([0]), TLS[1]) is None
    assert anchors.leads_to((leaf.der, intermediate.der), held([1]), TLS[1]) is None
    assert anchors.leads_to((leaf.der, intermediate.der), held([0], [0]), TLS[1]) is None


def test_a_chain_leads_over_cross_certificates_in_any_order_and_in_circles() -> None:
    leaf = authorities.below(root(2), "messages", purposes=[MESSAGE_SIGNING])
    others = [cross(1, 2), cross(2, 1), cross(0, 1), cross(1, 0), cross(2, 0)]
    assert anchors.leads_to((leaf.der, *others), held([0]), MESSAGE_SIGNING) == root(0).fingerprint
    # One who has seen Root 1 revoked does not go by it.
    assert anchors.leads_to((leaf.der, *others), held([0], [1]), MESSAGE_SIGNING) is None


def test_an_intermediate_for_tls_makes_no_key_that_signs_messages() -> None:
    intermediate = authorities.below(root(0), "intermediate", is_ca=True, purposes=TLS)
    thief = authorities.below(intermediate, "thief", purposes=[MESSAGE_SIGNING])
    assert anchors.leads_to((thief.der, intermediate.der), held([0]), MESSAGE_SIGNING) is None


@pytest.mark.parametrize("purposes", [(), TLS])
def test_a_leaf_is_only_for_what_it_says(purposes: Sequence[str]) -> None:
    leaf = authorities.below(root(0), "leaf", purposes=purposes)
    assert anchors.leads_to((leaf.der,), held([0]), MESSAGE_SIGNING) is None


def test_a_leaf_certifies_nobody() -> None:
    leaf = authorities.below(root(0), "leaf", purposes=TLS)
    another = authorities.below(leaf, "another", purposes=TLS)
    assert anchors.leads_to((another.der, leaf.der), held([0]), TLS[1]) is None


def test_a_root_that_was_seen_revoked_leads_to_no_other() -> None:
    """Whatever a later list says of it: here nothing, which would make it one of policy at most."""
    crosses = [cross(0, 1), cross(1, 2)]
    assert anchors.reachable(held([0]), crosses) == held([0, 1, 2]).roots.keys()
    assert anchors.reachable(held([0], [1]), crosses) == held([0]).roots.keys()
    assert anchors.reachable(held([0, 1], [0]), crosses) == held([1, 2]).roots.keys()
