"""Which root replaces which: pure functions over rows that were read before."""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from keys.models.root import Root, RootKind, RootState


def numbered(roots: Sequence[Root]) -> list[Root]:
    """Return the active numbered roots, oldest first; legacy-root replaces nothing and is never replaced."""
    active = [root for root in roots if root.state == RootState.ACTIVE and root.kind == RootKind.ROOT]
    return sorted(active, key=lambda root: root.number or 0)


def later(root: Root, roots: Sequence[Root]) -> list[Root]:
    """Return the active roots of the same server that were made after `root`, oldest first (AMB-48)."""
    return [
        other
        for other in numbered(roots)
        if other.server_id == root.server_id and (other.number or 0) > (root.number or 0)
    ]


def replacement(root: Root, roots: Sequence[Root], leaving: Collection[UUID]) -> Root | None:
    """Return the newest root that can stand in for `root`: a later one that is not in `leaving`, due to go itself."""
    stays = [other for other in later(root, roots) if other.pk not in leaving]
    return stays[-1] if stays else None


def is_carried_over(older: Root, newer: Root, made: Sequence[Root]) -> bool:
    """Tell whether the two are to certify each other (RFC 4210 §4.4).

    Not across a root that was asked for because the ones before it are in doubt; `made` are all active and revoked
    roots of the server.
    """
    return not any(
        root.in_doubt and (older.number or 0) < (root.number or 0) <= (newer.number or 0)
        for root in made
        if root.number is not None
    )


def pairs(roots: Sequence[Root], made: Sequence[Root]) -> Iterator[tuple[Root, Root]]:
    """Yield (older, newer) for every two active roots that are to certify each other."""
    active = numbered(roots)
    for index, newer in enumerate(active):
        for older in active[:index]:
            if is_carried_over(older, newer, made):
                yield older, newer
