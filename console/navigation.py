"""The main menu, as one table. An entry stands here when its page works (NAV-01 to NAV-10).

An app whose pages ask more than a capability adds who sees them too: `show_also("hsm:groups", is_a_member)`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse

from console.lib.capability import Capability


@dataclass(frozen=True)
class Entry:
    """One line of the menu; `view` is None for a heading. The documented path is the chain of labels."""

    label: str
    icon: str
    view: str | None = None
    capability: Capability = Capability.READ
    children: tuple["Entry", ...] = ()


@dataclass(frozen=True)
class NavItem:
    """A line as the template shows it."""

    label: str
    icon: str
    url: str | None
    current: str  # for aria-current: "page" is this page, "true" lies above it
    children: list["NavItem"] = field(default_factory=list)


@dataclass(frozen=True)
class NavSection:
    """Lines under one title."""

    title: str
    items: list[NavItem]


MENU: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry("Home", "home", "console:home", Capability.SIGNED_IN),
            Entry("Background Jobs", "activity", "jobs:list"),
            Entry("Questions", "message-circle", "trust:questions", Capability.SEE_QUESTIONS),
        ),
    ),
    (
        "Administration > Configuration",
        (
            Entry(
                "Settings",
                "adjustments",
                children=(
                    Entry("Advanced Settings", "", "settings_store:list"),
                    Entry("HSM integration", "", "keys:integration"),
                ),
            ),
            Entry(
                "Key & Trust Management",
                "key",
                children=(
                    Entry("Current Server", "", "keys:current-server"),
                    Entry("Rotation workflow", "", "keys:workflow"),
                    Entry("Activity Log", "", "keys:activity"),
                    Entry("Backups", "", "keys:backups"),
                ),
            ),
            Entry("Infrastructure", "file-download", "trust:infrastructure"),
            Entry("Client Status", "devices", "trust:clients"),
        ),
    ),
    (
        "Hardware Security",
        (
            Entry("Groups", "cpu", "hsm:groups"),
            Entry("Security Objects", "lock", "hsm:objects"),
        ),
    ),
    (
        "Audit",
        (
            Entry("All activity", "history", "activity:list"),
            Entry("PKI log", "file-text", "pkilog:view"),
        ),
    ),
    ("Access", (Entry("Users & Roles", "users", "accounts:users"),)),
    ("", (Entry("Help", "help", "console:help", Capability.SIGNED_IN),)),
)


_also: dict[str, Callable[[HttpRequest], bool]] = {}


def show_also(view: str, rule: Callable[[HttpRequest], bool]) -> None:
    """Show the entry of a view to those without its capability for whom the rule holds."""
    _also[view] = rule


def tree(request: HttpRequest) -> list[NavSection]:
    """Return the menu for this user, with the entry marked that this page is, or lies below."""
    here = _entry_of(request.path)
    sections = []
    for title, entries in MENU:
        if items := [item for item in (_item(entry, request, here) for entry in entries) if item]:
            sections.append(NavSection(title, items))
    return sections


def _entry_of(path: str) -> str:
    """Return the address of the entry with the longest address that the path begins with; Home is only itself."""
    addresses = (reverse(view) for view in _views(entry for _, entries in MENU for entry in entries))
    above = [address for address in addresses if path == address or (address != "/" and path.startswith(address))]
    return max(above, key=len, default="")


def _views(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.view:
            yield entry.view
        yield from _views(entry.children)


def _item(entry: Entry, request: HttpRequest, here: str) -> NavItem | None:
    children = [item for item in (_item(child, request, here) for child in entry.children) if item]
    if entry.view is None:
        return NavItem(entry.label, entry.icon, None, current="", children=children) if children else None
    if not may(request, entry.capability) and not _shown_also(request, entry.view):
        return None
    url = reverse(entry.view)
    current = "" if url != here else "page" if url == request.path else "true"
    return NavItem(entry.label, entry.icon, url, current, children)


def _shown_also(request: HttpRequest, view: str) -> bool:
    rule = _also.get(view)
    return bool(rule and request.user.is_authenticated and rule(request))


def may(request: HttpRequest, capability: Capability) -> bool:
    """Whether the signed-in user has a capability."""
    user = request.user
    return user.is_authenticated and user.may(capability)
