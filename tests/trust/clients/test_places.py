"""Who of those that ask in a client's name gets a place on its page."""

import uuid
from datetime import UTC, datetime, timedelta

from trust.clients.places import MOST_OF_CREDENTIAL, MOST_OF_SITE, SILENT_AFTER, crowded, room
from trust.models.clients import PendingEnrolment

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILE = uuid.uuid4()


def key(site: int, ago_s: int = 0, since_s: int = 0) -> PendingEnrolment:
    at = NOW - timedelta(seconds=ago_s)
    address = f"192.0.2.{site}"
    first = NOW - timedelta(seconds=since_s)
    return PendingEnrolment(address=address, last_at=at, first_at=first, credential_id=FILE)


def test_a_site_has_its_share_and_no_more() -> None:
    waiting = [key(1) for _ in range(MOST_OF_SITE)]
    assert room(waiting[1:], "192.0.2.1", NOW) == []
    assert room(waiting, "192.0.2.1", NOW) is None
    assert room(waiting, "192.0.2.2", NOW) == []


def test_who_asks_no_more_goes_first_and_who_does_stays() -> None:
    silent = int(SILENT_AFTER.total_seconds()) + 1
    gone, there = key(1, ago_s=silent), [key(1, ago_s=300) for _ in range(MOST_OF_SITE - 1)]
    assert room([*there, gone], "192.0.2.1", NOW) == [gone]
    full = [key(site) for site in range(1, MOST_OF_CREDENTIAL)]
    assert room([*full, gone], "192.0.2.77", NOW) == [gone]


def test_a_site_that_has_none_takes_the_newest_of_the_one_that_has_most() -> None:
    many = [key(1, since_s=30), key(1, since_s=10), key(1, since_s=20)]
    others = [key(site) for site in range(2, 2 + MOST_OF_CREDENTIAL - len(many))]
    assert room([*others, *many], "192.0.2.77", NOW) == [many[1]]
    assert room([*others, *many], "192.0.2.2", NOW) is None  # it has one
    # As many sites as places: whoever comes now needs a file of its own.
    assert room([key(site) for site in range(MOST_OF_CREDENTIAL)], "192.0.2.77", NOW) is None


def test_addresses_of_one_ipv6_site_are_one() -> None:
    waiting = [key(1) for _ in range(MOST_OF_SITE)]
    for host, one in enumerate(waiting):
        one.address = f"2001:db8::{host}"
    assert room(waiting, "2001:db8::ffff", NOW) is None
    assert room(waiting, "2001:db8:0:1::1", NOW) == []


def test_the_page_says_when_a_key_may_have_found_no_place() -> None:
    assert not crowded([])
    assert not crowded([key(site) for site in range(MOST_OF_CREDENTIAL - 1)])
    assert crowded([key(site) for site in range(MOST_OF_CREDENTIAL)])
    assert crowded([key(1) for _ in range(MOST_OF_SITE)])
