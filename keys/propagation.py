"""How far a change of roots has got with each component (KEY-57).

This server's own keys stand here; the rest joins through `keys.witnesses`.
"""

from collections.abc import Iterable

from console.servers.models import Server
from keys import witnesses
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import OWN_SUBORDINATES, PURPOSES
from keys.witnesses import Component

OWN = "own key"


def components(server: Server) -> list[Component]:
    """Return every known component with its state towards the newest root of the server."""
    newest = Root.objects.numbered(server).select_related("server").first()
    if newest is None:
        return []
    return [*own(server, newest), *witnesses.components(newest)]


def followed(found: Iterable[Component]) -> tuple[int, int]:
    """Return how many components follow the newest root, and how many there are."""
    every = list(found)
    return sum(one.number for one in every if one.done), sum(one.number for one in every)


def own(server: Server, newest: Root) -> list[Component]:
    """Return the keys that this server uses itself."""
    active = {key.purpose: key for key in Subordinate.objects.active(server).select_related("root")}
    return [_own(str(PURPOSES[purpose].label), active.get(purpose), newest) for purpose in OWN_SUBORDINATES]


def _own(label: str, key: Subordinate | None, newest: Root) -> Component:
    if key is None:
        return Component(label, OWN, done=False, state="not made yet")
    if key.root_id == newest.pk:
        return Component(label, OWN, done=True, state=f"signed by {newest.short_name}")
    return Component(label, OWN, done=False, state=f"still signed by {key.root.short_name}")
