"""The catalogue says what the requirements' table says (SUM)."""

import pytest

from settings_store.catalogue import ENTRIES, HSM_NAMES, PRE_SET, ROTATIONS, near_miss

# name, scope, value type, pre-set, default, low, high
ROWS = [
    ("HSMModulePath", "Local", "Text", False, None, None, None),
    ("Keys.Root.UseHSM", "Local", "Numeric", False, None, 0, 1),  # SET-17
    ("Keys.MessageSigning.UseHSM", "Local", "Numeric", False, None, 0, 1),
    ("Keys.Root.HSMPassword", "Local", "Protected", False, None, None, None),
    ("Keys.MessageSigning.HSMPassword", "Local", "Protected", False, None, None, None),
    ("Keys.Root.HSMTokenName", "Local", "Text", False, None, None, None),
    ("Keys.MessageSigning.HSMTokenName", "Local", "Text", False, None, None, None),
    ("Keys.Root.HSMTokenID", "Local", "Numeric", False, None, 0, None),
    ("Keys.MessageSigning.HSMTokenID", "Local", "Numeric", False, None, 0, None),
    ("PKIDatabasePassword", "Local", "Protected", False, None, None, None),
    ("enable_protocol_314_flag", "Global", "Numeric", True, 0, 0, 1),  # SET-30, AMB-32
    ("require_client_tls_315_flag", "Global", "Numeric", True, 1, 0, 1),  # SET-31
    ("require_client_tls_314_flag", "Global", "Numeric", True, 0, 0, 1),  # SET-32
    ("TLSMode", "Global", "Numeric", True, 1, 0, 1),  # SET-33
    ("ReportingTLSMode", "Global", "Numeric", True, 0, 0, 2),  # SET-34
    ("OptionalTLSMinAttemptCount", "Global", "Numeric", True, 3, 1, 100),  # SET-35
    ("OptionalTLSBackoffIntervalSeconds", "Global", "Numeric", True, 1, 1, 86400),  # SET-36
    ("OptionalTLSMaxBackoffSeconds", "Global", "Numeric", True, 3600, 1, 86400),  # SET-37
    ("pki_server_tls_key_duration_days", "Global", "Numeric", True, 60, 1, None),  # ROT-09 to ROT-20
    ("pki_server_tls_key_renewal_window_hours", "Global", "Numeric", True, 4, 1, None),
    ("pki_message_signing_key_duration_days", "Global", "Numeric", True, 180, 1, None),
    ("pki_message_signing_key_renewal_window_hours", "Global", "Numeric", True, 4, 1, None),
    ("pki_hub_tls_key_duration_days", "Global", "Numeric", True, 60, 1, None),
    ("pki_hub_tls_key_renewal_window_hours", "Global", "Numeric", True, 4, 1, None),
    ("pki_zoneserver_tls_key_duration_days", "Global", "Numeric", True, 60, 1, None),
    ("pki_zoneserver_tls_key_renewal_window_hours", "Global", "Numeric", True, 4, 1, None),
    ("pki_client_tls_ca_key_duration_days", "Global", "Numeric", True, 180, 1, None),
    ("pki_client_tls_ca_key_renewal_window_hours", "Global", "Numeric", True, 168, 1, None),
    ("pki_client_tls_key_duration_days", "Global", "Numeric", True, 7, 1, None),
    ("PKIClientTLSKeyRenewalWindowHours", "Global", "Numeric", True, 4, 1, None),
    ("max_console_idle_seconds", "Global", "Numeric", True, 900, 60, 86400),
    ("require_mfa_for_administrators_flag", "Global", "Numeric", True, 0, 0, 1),
    ("client_certificate_history_days", "Global", "Numeric", True, 400, 0, 36500),
    ("allow_tls13", "Global", "Numeric", True, 1, 0, 1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_setting_is_as_the_table_says(row: tuple[str, str, str, bool, int | None, int | None, int | None]) -> None:
    name, scope, value_type, pre_set, default, low, high = row
    entry = ENTRIES[name]
    assert (entry.scope, entry.value_type, entry.pre_set, entry.default) == (scope, value_type, pre_set, default)
    assert low is None or entry.low == low
    assert high is None or entry.high == high


def test_there_is_no_other_setting() -> None:
    assert set(ENTRIES) == {row[0] for row in ROWS}


def test_settings_of_one_server_cannot_be_global() -> None:  # SET-15, SET-27
    assert {name for name, entry in ENTRIES.items() if entry.local_only} == {*HSM_NAMES, "PKIDatabasePassword"}


def test_the_twelve_rotation_settings_are_in_the_grid() -> None:  # SET-38
    names = {name for kind in ROTATIONS for name in (kind.duration, kind.window)}
    assert len(names) == 12
    assert names <= {entry.name for entry in PRE_SET}


def test_every_setting_is_explained() -> None:
    assert all(len(entry.help) > 40 for entry in ENTRIES.values())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("HSMModulPath", "HSMModulePath"),
        ("hsmmodulepath", "HSMModulePath"),
        ("Keys.Root.HSMTokenNam", "Keys.Root.HSMTokenName"),
        ("PKIDatabasePasword", "PKIDatabasePassword"),
        ("TLSMode", ""),
        ("SomethingElse", ""),
    ],
)
def test_a_near_miss_is_recognised(typed: str, meant: str) -> None:
    assert near_miss(typed) == meant
