"""Settings that do not fit together."""

import pytest

from settings_store.catalogue import PRE_SET, ROTATIONS
from settings_store.contradictions import KnownToken, effective_hours, find, raised

DEFAULTS: dict[str, int | str] = {entry.name: entry.default for entry in PRE_SET if entry.default is not None}
HSM: dict[str, int | str] = {
    "HSMModulePath": "/m.so", "Keys.Root.UseHSM": 1, "Keys.Root.HSMPassword": "(protected)",
    "Keys.Root.HSMTokenName": "alpha",
}  # fmt: skip


def texts(values: dict[str, int | str], tokens: tuple[KnownToken, ...] = ()) -> str:
    return " ".join(finding.text for finding in find({**DEFAULTS, **values}, tokens))


def test_the_defaults_fit_together() -> None:
    assert find(DEFAULTS) == []
    assert find({**DEFAULTS, **HSM}) == []


@pytest.mark.parametrize(
    ("days", "window", "hours"), [(1, 23, 24), (1, 24, 25), (7, 200, 201), (60, 4, 1440), (1, 876_000, 876_001)]
)
def test_a_validity_is_one_hour_longer_than_the_window(days: int, window: int, hours: int) -> None:  # ROT-05 to ROT-07
    kind = ROTATIONS[0]
    values = {**DEFAULTS, kind.duration: days, kind.window: window}
    assert effective_hours(kind, values) == hours
    assert raised(kind, values) is (hours != days * 24)
    assert (f"valid for {hours} hours" in texts(values)) is (hours != days * 24)


def test_a_client_key_beyond_its_issuer_is_pointed_out() -> None:
    assert "No certificate outlives its issuer" in texts({"pki_client_tls_key_duration_days": 181})
    assert "outlives" not in texts({"pki_client_tls_key_duration_days": 180})


@pytest.mark.parametrize("missing", ["HSMModulePath", "Keys.Root.HSMPassword", "Keys.Root.HSMTokenName"])
def test_use_hsm_without_what_it_needs_names_it(missing: str) -> None:  # SET-25
    values = {name: value for name, value in HSM.items() if name != missing}
    assert f"{missing}" in texts(values)
    assert "The next key cannot be made" in texts(values)


def test_a_name_and_an_id_of_different_tokens_are_refused_when_it_is_known() -> None:  # AMB-13
    values = {**HSM, "Keys.Root.HSMTokenID": 7}
    assert "Check HSM integration tells" in texts(values)
    (finding,) = find({**DEFAULTS, **values}, (KnownToken("/m.so", 7, "beta"),))
    assert finding.blocking
    assert finding.names == ("Keys.Root.HSMTokenName", "Keys.Root.HSMTokenID")
    assert find({**DEFAULTS, **values}, (KnownToken("/m.so", 7, "alpha"),)) == []
    assert "beta" not in texts(values, (KnownToken("/other.so", 7, "beta"),))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"TLSMode": 0}, "TLSMode 0 tells it not to"),
        ({"require_client_tls_314_flag": 1}, "ReportingTLSMode 0 tells it not to"),
        ({"OptionalTLSBackoffIntervalSeconds": 4000}, "the longest counts"),
        ({"max_console_idle_seconds": 86400}, "12 hours"),
    ],
)
def test_other_contradictions_are_pointed_out(values: dict[str, int | str], said: str) -> None:
    assert said in texts(values)
