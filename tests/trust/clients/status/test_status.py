"""What a row says: drawn facts, and the rules that must hold for all of them."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trust.clients import picture, shares, status
from trust.clients.counting import Numbers
from trust.clients.picture import BOTTOM, LEFT, RIGHT, TOP, Change, Day
from trust.clients.sightings import WRITE_EVERY
from trust.clients.status import CONNECTED, LONGEST_RESET, Contact, Facts, Hearing, Issue

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
times = st.none() | st.integers(-(10**7), 10**7).map(lambda seconds: NOW + timedelta(seconds=seconds))
facts = st.builds(
    Facts,
    authenticated=st.booleans(),
    revoked=st.booleans(),
    using_tls=st.booleans(),
    last_seen=times,
    certificate_until=times,
    root_revoked=st.booleans(),
    waits=st.booleans(),
    allowed_until=times,
)
FADING = [Contact.CONNECTED, Contact.OVERDUE, Contact.SILENT]


@given(facts)
def test_a_revoked_client_is_nothing_else(known: Facts) -> None:
    said = status.status(known, NOW)
    assert (said.contact is Contact.REFUSED) == known.revoked
    assert (Issue.REVOKED in said.issues) == known.revoked
    assert not known.revoked or said.issues == (Issue.REVOKED,)


@given(facts)
def test_each_mark_has_its_reason(known: Facts) -> None:
    said = status.status(known, NOW)
    if known.revoked:
        return
    until = known.certificate_until
    assert (Issue.UNAUTHENTICATED in said.issues) == (not known.authenticated)
    assert (Issue.EXPIRED in said.issues) == (until is not None and until <= NOW)
    assert (Issue.ROOT_REVOKED in said.issues) == (known.root_revoked and until is not None)
    assert Issue.PENDING not in said.issues or Issue.ALLOWED not in said.issues
    assert known.waits <= bool({Issue.PENDING, Issue.ALLOWED} & set(said.issues))
    assert list(said.issues) == sorted(said.issues, key=list(Issue).index)
    assert len(said.marks) == len(said.issues)


@given(facts, st.integers(0, 10**7))
def test_as_time_passes_contact_only_fades(known: Facts, seconds: int) -> None:
    if known.revoked or known.last_seen is None:
        return
    before, after = (status.status(known, at).contact for at in (NOW, NOW + timedelta(seconds=seconds)))
    assert FADING.index(before) <= FADING.index(after)


@given(facts)
def test_using_tls_is_the_last_registration(known: Facts) -> None:  # CLI-04
    text = status.using_tls(known).text
    assert text == (
        "Not registered yet" if known.last_seen is None else "Yes" if known.using_tls else "No, unencrypted"
    )


def test_contact_changes_when_it_should() -> None:
    def contact(ago: timedelta) -> Contact:
        known = Facts(authenticated=True, revoked=False, using_tls=True, last_seen=NOW - ago, certificate_until=None)
        return status.status(known, NOW).contact

    second = timedelta(seconds=1)
    assert contact(CONNECTED) is Contact.CONNECTED
    assert contact(CONNECTED + second) is Contact.OVERDUE
    assert contact(LONGEST_RESET) is Contact.OVERDUE
    assert contact(LONGEST_RESET + second) is Contact.SILENT


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12), st.integers(-500, 9000))
def test_a_client_lacks_a_key_only_when_it_had_its_say(pauses: list[int], published_s: int) -> None:
    """It registers after each pause; `last_seen` is written every five minutes, or later with what is new."""
    published, said = NOW + timedelta(seconds=published_s), 0
    at = last_seen = back_at = NOW
    for pause_s in pauses:
        at += timedelta(seconds=pause_s)
        if at - last_seen >= WRITE_EVERY:
            back_at = at if at - last_seen > CONNECTED else back_at
            last_seen = at
        said += at >= published
        found = status.hearing(published, back_at, last_seen)
        assert found is not Hearing.DONE or said >= 2
        assert (found is Hearing.NOT_YET) == (last_seen < published)
    assert status.hearing(None, back_at, last_seen) is Hearing.NOT_YET


def test_only_client_7_4_or_later_has_tls_between_clients() -> None:  # TLS-06
    assert status.between_clients(314, 1).text == status.between_clients(315, 0).text == "Unencrypted"
    assert status.between_clients(315, 1).text == "TLS"
    assert "7.4" in status.between_clients(314, 1).why


@given(st.integers(0, 10**9))
def test_the_axis_reaches_over_the_highest_day(most: int) -> None:
    top = picture.ceiling(most)
    assert most <= top
    assert top % picture.Y_TICKS == 0
    assert top <= max(4, 2 * most)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 10**6), st.integers(0, 10**6)),
        max_size=70,
        unique_by=lambda one: one[0],
    ),
    st.lists(st.tuples(st.integers(0, 90), st.text(max_size=40)), max_size=12),
)
def test_a_picture_stays_within_its_frame(drawn: list[tuple[int, int, int]], changed: list[tuple[int, str]]) -> None:
    days = sorted(
        (Day(NOW.date() - timedelta(days=ago), tls, plain) for ago, tls, plain in drawn), key=lambda one: one.day
    )
    made = picture.draw(days, [Change(NOW - timedelta(days=ago), text) for ago, text in changed], NOW.date())
    shown = [day for day in days if (NOW.date() - day.day).days < picture.DAYS]
    assert (made is None) == (len(shown) < 2)
    if made is None:
        return
    for path in (made.tls_area, made.plain_area, made.tls_line):
        points = [tuple(map(float, pair.split())) for pair in path.strip("MZ").split("L")]
        assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in points)
    assert len(made.tls_line.split("L")) == len(shown)
    assert all(LEFT <= mark.x <= RIGHT and TOP < mark.y < BOTTOM for mark in made.markers)
    assert made.x_ticks[0].at == LEFT
    assert made.x_ticks[-1].at == RIGHT


def test_words_of_changes_do_not_cover_each_other() -> None:
    days = [Day(date(2026, 11, day), 5, 5) for day in (1, 22)]
    at = datetime(2026, 11, 10, tzinfo=UTC)
    made = picture.draw(days, [Change(at, "TLSMode = 1"), Change(at, "TLSMode = 0")], NOW.date())
    assert made
    first, second = made.markers
    assert first.x == second.x
    assert first.y != second.y


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_shares_round_to_all_or_none_only_when_it_is_so(tls: int, plain: int) -> None:
    made = shares.Shares.of(Numbers({"clients.tls": tls, "clients.plain": plain}, NOW), NOW)
    with_tls, without = made.parts
    if not tls + plain:
        assert with_tls.percent is None
        return
    assert with_tls.percent is not None
    assert without.percent is not None
    assert (with_tls.percent == 100) == (plain == 0)
    assert (without.percent == 100) == (tls == 0)
    assert abs(with_tls.percent + without.percent - 100) < 0.01
