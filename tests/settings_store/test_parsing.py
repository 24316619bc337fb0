"""What a value may be."""

import pytest

from console.lib.errors import InvalidError
from settings_store import parsing
from settings_store.catalogue import ENTRIES, Scope, ValueType


@pytest.mark.parametrize("typed", ["abc", "", " ", "1.5", "1e3", "0b1", "\u0661", "--1", "9" * 400, "0x", "1 2"])
def test_a_number_must_be_whole(typed: str) -> None:  # SET-04
    with pytest.raises(InvalidError) as caught:
        parsing.value("anything", ValueType.NUMERIC, typed)
    assert caught.value.field == "value"


@pytest.mark.parametrize(
    ("name", "refused", "accepted"),
    [
        ("Keys.Root.UseHSM", ["2", "-1"], ["0", "1"]),  # SET-17
        ("TLSMode", ["2"], ["0", "1"]),  # SET-33
        ("ReportingTLSMode", ["3", "-1"], ["0", "1", "2"]),  # SET-34
        ("OptionalTLSMinAttemptCount", ["0", "101"], ["1", "100"]),  # SET-35
        ("OptionalTLSBackoffIntervalSeconds", ["0", "86401"], ["1", "86400"]),  # SET-36
        ("OptionalTLSMaxBackoffSeconds", ["0", "86401"], ["1", "86400"]),  # SET-37
        ("pki_server_tls_key_duration_days", ["0", "-3", "99999999999"], ["1", "3650"]),  # AMB-11
        ("max_console_idle_seconds", ["59", "86401"], ["60", "86400"]),
        ("Keys.Root.HSMTokenID", ["-1", "0x10000000000000000"], ["0", "18446744073709551615"]),
    ],
)
def test_the_range_is_kept_and_named(name: str, refused: list[str], accepted: list[str]) -> None:
    for typed in refused:
        with pytest.raises(InvalidError) as caught:
            parsing.value(name, ValueType.NUMERIC, typed)
        assert str(ENTRIES[name].high) in str(caught.value) or "whole number" in str(caught.value)
    for typed in accepted:
        assert parsing.value(name, ValueType.NUMERIC, typed).value == typed


def test_a_slot_number_may_be_hexadecimal() -> None:  # AMB-16
    assert parsing.value("Keys.Root.HSMTokenID", ValueType.NUMERIC, "0x2a").value == "42"


@pytest.mark.parametrize("typed", ["lib.so", "../x.so", "./x.so", "", "a\nb", "/x\x00y", "/" + "x" * 1100])
def test_a_module_path_must_be_a_full_path(typed: str) -> None:
    with pytest.raises(InvalidError):
        parsing.value("HSMModulePath", ValueType.TEXT, typed)


@pytest.mark.parametrize("typed", ["/usr/lib/x.so", r"C:\Program Files\nCipher\cknfast.dll", r"\\host\share\x.dll"])
def test_a_full_path_of_either_system_is_kept(typed: str) -> None:  # SET-16
    assert parsing.value("HSMModulePath", ValueType.TEXT, f"  {typed} ").value == typed


def test_a_token_name_has_at_most_32_bytes() -> None:
    assert parsing.value("Keys.Root.HSMTokenName", ValueType.TEXT, "n" * 32).value
    with pytest.raises(InvalidError, match="At most 32 bytes; this is 34"):
        parsing.value("Keys.Root.HSMTokenName", ValueType.TEXT, "ü" * 17)


@pytest.mark.parametrize("typed", ["", "(protected)", "1" * 256, "12\n34", "\ud800"])
def test_a_pin_that_cannot_be_one_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parsing.value("Keys.Root.HSMPassword", ValueType.PROTECTED, typed)
    assert "1" * 20 not in str(caught.value)


def test_a_pin_keeps_its_spaces_and_hides_itself() -> None:
    parsed = parsing.value("Keys.Root.HSMPassword", ValueType.PROTECTED, " 12 34 ")
    assert parsed.value == ""
    assert parsed.secret is not None
    assert parsed.secret.reveal_text() == " 12 34 "
    assert "12" not in repr(parsed)


@pytest.mark.parametrize("typed", ["", "  ", "1abc", "a b", "a/b", "x" * 57, "ä", "a:b", "../x"])
def test_a_name_is_letters_digits_and_three_signs(typed: str) -> None:  # SET-03
    with pytest.raises(InvalidError) as caught:
        parsing.name(typed)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("name", "scope", "value_type", "field"),
    [
        ("Keys.Root.HSMPassword", "Local", "Text", "value_type"),  # SET-19
        ("Keys.Root.HSMTokenID", "Local", "Text", "value_type"),  # SET-23
        ("HSMModulePath", "Global", "Text", "scope"),  # SET-15
        ("PKIDatabasePassword", "Global", "Protected", "scope"),  # SET-27
        ("SomethingElse", "Global", "Protected", "scope"),
        ("SomethingElse", "Everywhere", "Text", "scope"),
        ("SomethingElse", "Local", "Binary", "value_type"),
    ],
)
def test_scope_and_type_follow_the_setting(name: str, scope: str, value_type: str, field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parsing.place(ENTRIES.get(name), scope, value_type)
    assert caught.value.field == field


def test_an_unknown_setting_may_be_any_type_and_scope() -> None:
    assert parsing.place(None, "Global", "Text") == (Scope.GLOBAL, ValueType.TEXT)
    assert parsing.value("SomethingElse", ValueType.TEXT, "any text").value == "any text"
