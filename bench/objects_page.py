"""The Security Objects page with many objects beside the same page with few: as it opens, filtered, searched, deep.

BENCH_OBJECTS=1000 python -m bench.one objects_page /dev/stdout
"""

import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from bench import stage
from bench.figures import p50, times_ms

if TYPE_CHECKING:
    from django.test import Client

    from hsm.models.groups import Group
    from hsm.models.objects import SecurityObject

FEW = 100
MANY = int(os.environ.get("BENCH_OBJECTS", "100000"))
GROUPS = 2  # so that FEW objects of one group fill a page too
ROUNDS = 40
# What the page is asked for. The first one is the page as it opens.
PAGES = {
    "page": "",
    "by name": "?sort=name",
    "one group": "?group={group}",
    "type and state": "?spec=ec-p256&state=usable",
    "search": "?q=key+00001",
}
LIMITS = {f"{name}, many ÷ few": 1.5 for name in PAGES}


def measure() -> dict[str, float]:
    """Return the median of each page with few and with many objects, in milliseconds, and how they compare."""
    with stage.console(None):
        from console.accounts.grants import RoleKey
        from tests.fixtures.users import create_user, sign_in

        client = sign_in(create_user("olga", RoleKey.AUDITOR))
        groups = _groups()
        _fill_up_to(FEW, groups)
        few = _medians(client, groups[0])
        _fill_up_to(MANY, groups)
        many = _medians(client, groups[0])
        deep = _deep(client)
    figures: dict[str, float] = {"objects": MANY}
    for name in PAGES:
        figures |= {
            f"{name} with {FEW}, ms": few[name],
            f"{name} with {MANY:,}, ms": many[name],
            f"{name}, many ÷ few": many[name] / few[name],
        }
    return {**figures, "twentieth page, ms": deep}


def _medians(client: "Client", group: "Group") -> dict[str, float]:
    def median_of(query: str) -> float:
        address = "/hsm/objects/" + query.format(group=group.pk)
        return p50(times_ms(lambda: _get(client, address), ROUNDS))

    return {name: median_of(query) for name, query in PAGES.items()}


def _get(client: "Client", address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    text = response.content.decode()
    assert 'id="object-' in text, address
    return text


def _deep(client: "Client") -> float:
    """Return the median of a page far from the first, which is reached as a reader reaches it."""
    address = "/hsm/objects/"
    for _ in range(min(20, MANY // 50 - 1)):
        following = re.search(r'id="pager-next" href="([^"]+)"', _get(client, address))
        assert following
        address = "/hsm/objects/" + following[1].replace("&amp;", "&")
    return p50(times_ms(lambda: _get(client, address), ROUNDS))


def _groups() -> "list[Group]":
    from console.lib import clock
    from console.servers.current import current
    from hsm.models.groups import Group

    return [
        Group.objects.create(server=current(), title=f"g{n}", kind="hsm", created_at=clock.now(), created_by="bench")
        for n in range(GROUPS)
    ]


def _fill_up_to(total: int, groups: "list[Group]") -> None:
    from hsm.models.objects import SecurityObject

    made = _objects(SecurityObject.objects.count(), total, groups)
    while batch := [one for one, _ in zip(made, range(5_000), strict=False)]:
        SecurityObject.objects.bulk_create(batch)


def _objects(first: int, end: int, groups: "list[Group]") -> "Iterator[SecurityObject]":
    from console.lib import clock
    from hsm.models.objects import SecurityObject

    now = clock.now()
    for number in range(first, end):
        pair = number % 4 != 0
        yield SecurityObject(
            group=groups[number % GROUPS],
            name=f"key {number:06}",
            label=f"key {number:06}",
            family="key-pair" if pair else "secret-key",
            spec="ec-p256" if pair else "aes-256",
            key_type="EC" if pair else "AES",
            bits=256,
            key_id=secrets.token_hex(16),
            fingerprint=secrets.token_hex(32) if pair else "",
            operations=["sign", "verify"] if pair else ["encrypt", "decrypt"],
            origin="found",
            state="active",
            created_at=now - timedelta(seconds=number),
            created_by="Sync keys",
            deactivated_at=now if number % 10 == 0 else None,
            missing_since=now if number % 25 == 0 else None,
        )
