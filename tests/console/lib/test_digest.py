"""One value, one spelling."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.lib.digest import canonical_json, groups, spki_fingerprint, timestamp

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), values, max_size=5))
def test_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


def test_a_time_has_one_spelling_in_every_zone() -> None:
    utc = datetime(2026, 11, 21, 22, 40, tzinfo=UTC)
    assert timestamp(utc) == timestamp(utc.astimezone(timezone(timedelta(hours=5)))) == "2026-11-21T22:40:00.000000Z"


@pytest.mark.parametrize("value", [1.5, {1.0: 2.5}, object(), b"bytes"])
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json({"x": value})


def test_fingerprint_groups() -> None:
    # SHA-256 of nothing, FIPS 180-4 example value.
    assert list(groups(spki_fingerprint(b"")))[:2] == ["e3b0", "c442"]
    assert len(list(groups(spki_fingerprint(b"")))) == 16
