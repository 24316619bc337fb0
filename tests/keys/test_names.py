"""Host names and common names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.lib.errors import InvalidError
from keys import names


@pytest.mark.parametrize(
    "good", ["ts1.example.com", "localhost", "TS1.Example.COM", "xn--bcher-kva.example", "a.b3", "4x.de"]
)
def test_good_names(good: str) -> None:
    assert names.fqdn(good) == good.lower()


@pytest.mark.parametrize(
    "bad",
    [
        "", ".", "a..b", "-a.example", "a-.example", "under_score.example", "bücher.example", "a b", "a.example.",
        "*.example.com", "10.0.0.1", "::1", "a\n", "a.example\n", "a\0b", "x" * 64 + ".example", ".".join(["abc"] * 70),
    ],
)  # fmt: skip
def test_bad_names(bad: str) -> None:
    with pytest.raises(InvalidError) as caught:
        names.fqdn(bad)
    assert caught.value.field == "fqdn"


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=300))
def test_common_name_fits_and_stays_one_name(text: str) -> None:
    """RFC 5280 ub-common-name: 64 characters."""
    assert len(names.common_name(text)) <= 64
    assert names.common_name(text) != names.common_name(text + "x")


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "a\0b"])
def test_unprintable_common_name(bad: str) -> None:
    with pytest.raises(InvalidError):
        names.common_name(bad)
