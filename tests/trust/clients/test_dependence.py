"""Who still needs a root, counted by the database: the same as the pure rule says of each client."""

import random
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse

from console.lib import clock
from console.servers.models import Server
from keys import propagation, readiness, revocation, tiles, witnesses
from keys.models.root import RevocationReason, Root
from keys.readiness import Fate
from keys.standing import Standing
from tests.trust import rows
from trust.clients import counting, dependence
from trust.models.clients import NEVER, Client, ClientState

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
REASONS = (RevocationReason.POLICY, RevocationReason.DOUBT, RevocationReason.COMPROMISED)


@pytest.fixture
def three(server: Server) -> list[Root]:
    """Return three roots of which the first and the last did not certify each other."""
    made = [rows.root(server, number) for number in range(3)]
    rows.cross(made[0], made[1])
    rows.cross(made[1], made[2])
    return made


def fleet(server: Server, roots: list[Root], size: int = 80) -> list[Client]:
    """Return clients of every sort, drawn with a fixed seed."""
    dice, now = random.Random(4), clock.now()  # noqa: S311 - no secret
    sets = [None, rows.holding(), *(rows.holding(*roots[a:b]) for a in range(3) for b in range(a + 1, 4))]
    return [
        rows.client(
            server,
            f"pc-{number:03}.example.com",
            root=dice.choice([*roots, None]),
            holding=dice.choice(sets),
            authenticated=dice.random() < 0.8,
            using_tls=dice.random() < 0.8,
            protocol=dice.choice([315, 315, 315, 314]),
            certificate_until=dice.choice([NEVER, now - HOUR, now + dice.randint(1, 150) * HOUR]),
            last_seen=dice.choice([NEVER, now - HOUR, now - 48 * HOUR]),
            state=(state := dice.choice([ClientState.ACTIVE] * 9 + [ClientState.REVOKED])),
            revoked_at=now if state == ClientState.REVOKED else None,
        )
        for number in range(size)
    ]


def listed(known: readiness.World, root: Root, reason: str, fate: Fate | None) -> Iterator[str]:
    cursor, now = "", clock.now()
    while True:
        page = dependence.page(known, root, reason, now, fate=fate, cursor=cursor, size=7)
        yield from (client.name for client in page.rows)
        if not (cursor := page.next):
            return


def test_the_database_counts_and_lists_what_the_pure_rule_says(server: Server, three: list[Root]) -> None:
    clients = fleet(server, three)
    known, now = dependence.world(server), clock.now()
    groups = dependence.groups(now)
    names = {root.pk: root.fingerprint for root in three}
    facts = [dependence.dependant(client, names) for client in clients]
    for root in three[:2]:
        for reason in REASONS:
            found = dependence.needs(groups, known, root, reason, now)
            one_by_one = dependence.judge(clients, known, root, reason, now)
            waited = [
                fact for fact, verdict in zip(facts, one_by_one, strict=True) if readiness.waited_for(fact, verdict)
            ]
            at, never = readiness.earliest(waited, known, str(root.fingerprint), reason, now)
            assert (found.number, found.never) == (len(waited), never)
            assert at <= found.earliest <= max(at, now + readiness.RESET_MOST)
            assert found.away == sum(not readiness.is_there(fact, now) for fact in waited)
            for fate in (None, Fate.DISTURBED, Fate.LOST):
                expected = [
                    client.name
                    for client, verdict in zip(clients, one_by_one, strict=True)
                    if (verdict.needs_root if fate is None else verdict.fate is fate)
                ]
                assert list(listed(known, root, reason, fate)) == sorted(expected), (root, reason, fate)
            assert found.lost + found.unproven == sum(verdict.fate is Fate.LOST for verdict in one_by_one)
            assert found.number


def test_tiles_and_propagation_show_the_last_count(server: Server, three: list[Root], admin_client: Browser) -> None:
    old, _, new = three
    rows.client(server, "pc-1", root=old, holding=rows.holding(*three))
    rows.client(server, "pc-2", root=old, holding=rows.holding(*three), last_seen=clock.now() - 48 * HOUR)
    rows.client(server, "pc-3", root=new, holding=rows.holding(new))
    counting.count(server)
    shown = {tile.root.pk: tile.used_by[0] for tile in tiles.tiles(Standing.read(server))}
    assert (shown[old.pk].number, shown[old.pk].away, shown[new.pk].below) == (2, 1, 1)
    page = admin_client.get(reverse("keys:current-server")).content.decode()
    assert f'<a href="{reverse("trust:dependants", args=[old.pk])}">2 clients</a>' in page
    components = {one.name: one for one in witnesses.components(new)}
    assert components["Clients of Root 2"].done
    assert components["Clients that still need Root 0"].number == 2
    rows.revoke(old)
    counting.count(server)
    after = {one.name: one.state for one in witnesses.components(new)}
    assert "not reached yet by the order" in after["Clients that still hold Root 0, which is revoked"]


def test_nobody_is_said_not_to_need_a_root_before_that_was_counted(  # KEY-57, HSI-25
    server: Server, admin_client: Browser
) -> None:
    old = rows.root(server, 0)
    rows.client(server, "pc-1", root=old, holding=rows.holding(old))
    rows.client(server, "pc-2", root=old, holding=rows.holding(old), certificate_until=clock.now() - HOUR)
    counting.count(server)
    new = rows.root(server, 1)
    rows.cross(old, new)
    page = admin_client.get(reverse("keys:current-server")).content.decode()
    assert "clients, being counted" in page
    assert "none needs" not in page
    assert {one.name: one.state for one in witnesses.components(new)} == {
        "Clients that still need Root 0": "being counted, within a minute"
    }
    rows.client(server, "pc-3", root=new, holding=rows.holding(new))
    rows.client(server, "pc-4", root=new, last_seen=NEVER)
    counting.count(server)
    page = admin_client.get(reverse("keys:current-server")).content.decode()
    assert ">1 client</a> still needs Root 0." in page
    components = {one.name: one for one in witnesses.components(new)}
    assert propagation.followed(components.values()) == (2, 4)  # pc-4 has moved, and has not said yet what it holds
    unaware = components["Clients that do not hold Root 1 yet"]
    assert unaware.state == "3 clients"
    shown = admin_client.get(unaware.url).content.decode()
    assert [name for name in ("pc-1", "pc-2", "pc-3", "pc-4") if name in shown] == ["pc-1", "pc-2", "pc-4"]


def test_the_page_names_them_with_the_reason(server: Server, three: list[Root], admin_client: Browser) -> None:
    old, middle, new = three
    rows.client(server, "pc-disturbed", root=old, holding=rows.holding(old, new))
    rows.client(server, "pc-lost", root=middle, holding=rows.holding(old))
    rows.client(server, "pc-free", root=new, holding=rows.holding(new))
    address = reverse("trust:dependants", args=[old.pk])
    usual = admin_client.get(address).content.decode()
    assert re.findall(r'<a [^>]*aria-current="true">([^<]+)</a>', usual) == ["Current Server"]  # as its breadcrumb
    assert "pc-disturbed" in usual
    assert "pc-lost" not in usual
    assert "pc-free" not in usual
    worst = admin_client.get(f"{address}?reason=compromised&fate=lost").content.decode()
    assert "pc-lost" in worst
    assert "pc-disturbed" not in worst
    assert "needs a new init file" in worst
    assert "can be deceived" in worst
    rows.revoke(old, RevocationReason.COMPROMISED)
    afterwards = admin_client.get(address).content.decode()
    assert "pc-lost" in afterwards
    assert "can be deceived" in afterwards
    assert admin_client.get(reverse("trust:dependants", args=[server.pk])).status_code == 404


def test_the_dialog_is_confirmed_though_numbers_move_and_not_when_they_change_much(
    server: Server, three: list[Root]
) -> None:
    old, _, new = three

    def digest() -> str:
        return revocation.digest(revocation.consequences(old, Standing.read(server)))

    nobody = digest()
    for number in range(2):
        rows.client(server, f"pc-{number}", root=old, holding=rows.holding(old, new))
    two = digest()
    assert two != nobody
    Client.objects.update(last_seen=clock.now() - 48 * HOUR)  # heartbeats, or none
    rows.client(server, "pc-2", root=old, holding=rows.holding(old, new))
    assert digest() == two
    for number in range(3, 10):
        rows.client(server, f"pc-{number}", root=old, holding=rows.holding(old, new))
    assert digest() != two


def test_the_dialog_names_who_breaks_and_the_date_at_which_nobody_does(
    server: Server, three: list[Root], admin_client: Browser
) -> None:
    old, middle, new = three
    until = clock.now() + 200 * HOUR
    rows.client(server, "pc-away", root=old, holding=rows.holding(*three), certificate_until=until,
                last_seen=clock.now() - 48 * HOUR)  # fmt: skip
    rows.client(server, "pc-only-old", root=new, holding=rows.holding(old))
    dialog = admin_client.get(reverse("keys:revoke", args=[old.pk])).content.decode()
    assert "pc-away" in dialog
    assert "1, 1 of them not heard of for 6 hours" in dialog
    assert "1 client holds nothing else that leads on: whoever has the private key can deceive it" in dialog
    assert "pc-only-old" in dialog
    ready = (until + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    assert f'value="{ready}"' in dialog
    assert revocation.ready_date(witnesses.dependants(middle)) is None
