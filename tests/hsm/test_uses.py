"""Which uses exist for a token: shown on the page of the token, and on the tab of each group that uses it (AMB-42)."""

from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.lib import clock
from console.servers.models import Server
from hsm import members, uses
from hsm.models.groups import Connection, ConnectionKind, ConnectionState, Group, GroupKind, GroupRole
from hsm.models.tokens import TokenBinding
from tests.fixtures.groups import ALICE

SERIAL, MODULE = "0a1b2c3d4e5f6071", "/usr/lib/libhsm.so"
MakeGroup = Callable[..., Group]


@pytest.fixture
def binding(server: Server) -> TokenBinding:
    return TokenBinding.objects.create(
        server=server, module_path=MODULE, label="luna-prod", serial=SERIAL, created_at=clock.now()
    )


@pytest.fixture
def make_group(server: Server) -> MakeGroup:
    """Return a function that makes a group with one connection that a test has found to lead to this token."""

    def make(title: str, **found: str) -> Group:
        group = Group.objects.create(
            server=server, title=title, kind=GroupKind.HSM, hsm_type="luna", created_at=clock.now(), created_by="alice"
        )
        values = {"kind": ConnectionKind.GATEWAY, "label": "luna-prod", "serial": SERIAL, **found}
        state = ConnectionState.CONNECTED if values["label"] else ConnectionState.UNTESTED
        Connection.objects.create(group=group, position=1, state=state, created_at=clock.now(), **values)
        return group

    return make


def text(client: Client, name: str, thing: Group | TokenBinding) -> str:
    return unescape(client.get(reverse(name, args=[thing.pk])).content.decode())


def test_the_page_of_a_token_names_the_groups_that_use_it(
    binding: TokenBinding, make_group: MakeGroup, admin_client: Client
) -> None:
    assert "No group uses this token" in text(admin_client, "hsm:binding", binding)
    luna = make_group("By a gateway")
    make_group("By its module", kind=ConnectionKind.MODULE, module_path=MODULE)
    make_group("Another token", label="standby", serial="00000000000000ff")
    make_group("Never tested", label="", serial="")
    page = text(admin_client, "hsm:binding", binding)
    assert reverse("hsm:group-hsm", args=[luna.pk]) in page
    shown = [title for title in ("By a gateway", "By its module", "Another token", "Never tested") if title in page]
    assert shown == ["By a gateway", "By its module"]


def test_the_tab_of_a_group_names_what_else_uses_its_token(
    binding: TokenBinding, make_group: MakeGroup, admin_client: Client, user_client: Client, plain_user: User
) -> None:
    luna, other = make_group("Luna production"), make_group("Signing services")
    page = text(admin_client, "hsm:group-hsm", luna)
    assert reverse("hsm:binding", args=[binding.pk]) in page
    assert reverse("hsm:group-hsm", args=[other.pk]) in page
    # A member is told neither of groups of others nor of the console's own keys.
    members.add(luna, plain_user.username, GroupRole.MEMBER, actor=ALICE)
    page = text(user_client, "hsm:group-hsm", luna)
    assert "Luna production" in page
    assert "Signing services" not in page
    assert "also used by" not in page


@pytest.mark.parametrize("serial", ["", "0000000000000000"])
def test_without_a_serial_number_only_the_same_module_counts(
    serial: str, binding: TokenBinding, make_group: MakeGroup
) -> None:
    TokenBinding.objects.update(serial=serial)
    binding.refresh_from_db()
    here = make_group("Here", kind=ConnectionKind.MODULE, module_path=MODULE, serial=serial)
    elsewhere = make_group("Elsewhere", serial=serial)
    assert list(uses.groups_on(binding, Group.objects.all())) == [here]
    assert list(uses.bindings_on(here.connections.get())) == [binding]
    assert list(uses.bindings_on(elsewhere.connections.get())) == []
