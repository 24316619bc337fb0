"""The key hierarchy as a picture: a tidy tree, laid out here and drawn by the template as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from console.lib import durations
from keys.models.keypair import KeyPair
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import PURPOSES, Purpose
from keys.validity import renewal_at

WIDTH, HEIGHT = 226, 62
GAP_X, GAP_Y = 62, 14
SOON_HOURS = 24
LONGEST = 31  # characters of a line that fit into a node


@dataclass(frozen=True)
class Node:
    """A key and what it signs. `kind` is root, mid or warn; it becomes a CSS class."""

    name: str
    sub: str
    meta: str
    kind: str
    url: str = ""
    children: tuple["Node", ...] = ()


@dataclass(frozen=True)
class Box:
    """A node with its place, in CSS pixels."""

    node: Node
    x: int
    y: float

    @property
    def middle(self) -> float:
        """Where edges meet it."""
        return self.y + HEIGHT / 2


@dataclass(frozen=True)
class Picture:
    """Everything the template draws; `edges` are SVG path data."""

    title: str
    width: int
    height: int
    box_width: int = WIDTH
    box_height: int = HEIGHT
    boxes: tuple[Box, ...] = ()
    edges: tuple[str, ...] = ()


@dataclass
class _Layout:
    boxes: list[Box] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    next_y: float = 1
    depth: int = 0

    def place(self, node: Node, depth: int) -> Box:
        """Place a node half-way between its first and its last child, or below what stands already."""
        self.depth = max(self.depth, depth)
        children = [self.place(child, depth + 1) for child in node.children]
        y = (children[0].y + children[-1].y) / 2 if children else self.next_y
        if not children:
            self.next_y += HEIGHT + GAP_Y
        box = Box(node, 1 + depth * (WIDTH + GAP_X), y)
        self.boxes.append(box)
        self.edges.extend(_curve(box, child) for child in children)
        return box


def _curve(parent: Box, child: Box) -> str:
    start, end = parent.x + WIDTH, child.x
    bend = (start + end) // 2
    return f"M{start} {parent.middle:.1f}C{bend} {parent.middle:.1f} {bend} {child.middle:.1f} {end} {child.middle:.1f}"


def picture(tree: Node) -> Picture:
    """Return the tree, laid out from left to right."""
    layout = _Layout()
    layout.place(tree, 0)
    return Picture(
        title=f"Key hierarchy of {tree.name}",
        width=2 + (layout.depth + 1) * WIDTH + layout.depth * GAP_X,
        height=round(layout.next_y - GAP_Y + 1),
        boxes=tuple(layout.boxes),
        edges=tuple(layout.edges),
    )


def tree(root: Root, below: Sequence[Subordinate], now: datetime, urls: dict[object, str]) -> Node:
    """Return a root with the keys in use that it signed; `urls` are the pages of keys, by primary key."""
    return Node(
        name=root.short_name,
        sub=_fit(f"Root key pair · {_store(root)}"),
        meta="never expires",
        kind="root",
        url=urls.get(root.pk, ""),
        children=tuple(_subordinate(key, now, urls) for key in below),
    )


def _subordinate(key: Subordinate, now: datetime, urls: dict[object, str]) -> Node:
    facts = PURPOSES[Purpose(key.purpose)]
    renews = renewal_at(key.not_before, key.not_after, key.window_hours) if key.not_before and key.not_after else None
    soon = renews is not None and (renews - now).total_seconds() < SOON_HOURS * 3600
    return Node(
        name=facts.label,
        sub=_fit(f"{key.holder} · {_store(key)}"),
        meta=f"renews {durations.relative(renews, now)}" if soon and renews else _date(renews),
        kind="warn" if soon else "mid",
        url=urls.get(key.pk, ""),
    )


def _store(key: KeyPair) -> str:
    return f"HSM {key.binding.label}" if key.binding else key.store_label


def _date(moment: datetime | None) -> str:
    return f"renews {durations.stamp(moment, 'date')}" if moment else "never expires"


def _fit(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
