"""The documented paths, walked through the menu that a page really shows."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from django.test import Client

from console.servers.models import Server
from hsm.models.groups import Group


@dataclass
class Line:
    """A heading or a link of the menu, with what stands below it."""

    label: str = ""
    url: str = ""
    below: list["Line"] = field(default_factory=list)


class Menu(HTMLParser):
    """Reads the main menu: headings (h2), links and branches, each with the lists below it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Line()
        self._open: list[Line] = [self.root]
        self._text = ""
        self.feed(page.partition('id="side"')[2].partition("</nav>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._text = ""
        if tag == "li":
            line = Line()
            self._open[-1].below.append(line)
            self._open.append(line)
        elif tag == "h2":
            self._open = [self.root]
        elif tag == "a" and len(self._open) > 1:
            self._open[-1].url = dict(attrs)["href"] or ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2":
            line = Line(self._text.strip())
            self.root.below.append(line)
            self._open.append(line)
        elif tag in {"a", "span"} and not self._open[-1].label:
            self._open[-1].label = self._text.strip()
        elif tag == "li":
            self._open.pop()


def walk(menu: Menu, *labels: str) -> str:
    """Return the address at the end of a path of labels."""
    line = menu.root
    for label in labels:
        line = next(one for one in line.below if one.label == label)
    return line.url


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("Settings", "Advanced Settings"), "<h1>Advanced Settings</h1>"),  # NAV-01
        (("Key & Trust Management", "Current Server"), 'class="card tile'),  # NAV-02
        (("Key & Trust Management", "Activity Log"), "All Root Keys"),  # NAV-03
        (("Infrastructure",), "<h1>Infrastructure Configuration Files</h1>"),  # NAV-04, AMB-27
        (("Client Status",), "<h1>Client Status</h1>"),  # NAV-05
    ],
)
def test_a_documented_path_leads_to_its_page(
    admin_client: Client, make_root: object, labels: tuple[str, ...], said: str
) -> None:
    make_root()  # type: ignore[operator]
    menu = Menu(admin_client.get("/").content.decode())
    page = admin_client.get(walk(menu, "Administration > Configuration", *labels)).content.decode()
    assert said in re.sub(r"<h1[^>]*>", "<h1>", page)
    current = re.findall(r'<a href="[^"]*" aria-current="page">(?:<svg.*?</svg>)?([^<]+)', page, re.DOTALL)
    assert labels[-1] in [label.strip() for label in current]


@pytest.mark.parametrize(
    ("label", "button", "title"),
    [
        ("Groups", "new-group", "Add new group"),  # NAV-07
        ("Security Objects", "new-object", "Add New Security Object"),  # NAV-08
    ],
)
def test_groups_and_objects_have_a_page_with_a_create_button(
    admin_client: Client, software_group: Group, label: str, button: str, title: str
) -> None:
    menu = Menu(admin_client.get("/").content.decode())
    page = admin_client.get(walk(menu, "Hardware Security", label)).content.decode()
    link = re.search(rf'id="{button}" href="([^"]+)"', page)
    assert link
    assert f"<h1>{title}</h1>" in re.sub(r"<h1[^>]*>", "<h1>", admin_client.get(link[1]).content.decode())


def test_no_entry_of_the_menu_is_dead(admin_client: Client, server: Server) -> None:
    menu = Menu(admin_client.get("/").content.decode())

    def urls(line: Line) -> list[str]:
        return [*filter(None, [line.url]), *(url for one in line.below for url in urls(one))]

    found = urls(menu.root)
    assert len(found) >= 10
    assert {admin_client.get(url).status_code for url in found} == {200}


def test_home_shows_how_many_clients_are_connected(admin_client: Client, server: Server) -> None:  # NAV-06
    page = admin_client.get("/").content.decode()
    status = page.partition("Environment Status")[2]
    assert re.search(r"<dt>Connected now</dt>\s*<dd>0</dd>", status)
