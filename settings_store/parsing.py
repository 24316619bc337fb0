"""From what was typed to what is stored, or to a message beside the field. Pure."""

import re
from dataclasses import dataclass

from console.lib.errors import InvalidError
from console.lib.secret import PROTECTED, Secret
from settings_store.catalogue import ENTRIES, Entry, Scope, ValueType

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,55}")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
ABSOLUTE_PATH = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
UNKNOWN_LONGEST = 4096
INT64 = 2**63


@dataclass(frozen=True)
class Parsed:
    """`value` is what may be shown; a Protected value is in `secret` and `value` is empty."""

    value: str = ""
    secret: Secret | None = None


def name(typed: str) -> str:
    """Return a setting's name; raises InvalidError."""
    typed = typed.strip()
    if not typed:
        raise InvalidError("Enter the name of the setting.", field="name")
    if not NAME.fullmatch(typed):
        raise InvalidError(
            "A name begins with a letter and has at most 56 letters, digits, dots, hyphens and underscores.",
            field="name",
        )
    return typed


def place(entry: Entry | None, scope: str, value_type: str) -> tuple[Scope, ValueType]:
    """Return scope and value type as far as the setting allows them; raises InvalidError."""
    try:
        chosen = Scope(scope)
    except ValueError as error:
        raise InvalidError("Choose Local or Global.", field="scope") from error
    try:
        kind = ValueType(value_type)
    except ValueError as error:
        raise InvalidError("Choose Text, Numeric or Protected.", field="value_type") from error
    if entry and kind is not entry.value_type:
        raise InvalidError(f"{entry.name} is {entry.value_type}. Choose that value type.", field="value_type")
    if entry and entry.local_only and chosen is not Scope.LOCAL:
        raise InvalidError(
            f"{entry.name} belongs to one server. Choose Local, and add it on each server.", field="scope"
        )
    if kind is ValueType.PROTECTED and chosen is not Scope.LOCAL:
        raise InvalidError(
            "A Protected value is sealed for one server. Choose Local, and add it on each server.", field="scope"
        )
    return chosen, kind


def value(setting_name: str, kind: ValueType, typed: str) -> Parsed:
    """Return the value of a setting, checked against its catalogue entry; raises InvalidError."""
    entry = ENTRIES.get(setting_name)
    if kind is ValueType.NUMERIC:
        return Parsed(str(_number(entry, typed.strip())))
    if kind is ValueType.PROTECTED:
        return Parsed(secret=_protected(entry, typed))
    return Parsed(_text(setting_name, entry, typed.strip()))


def _number(entry: Entry | None, typed: str) -> int:
    if not typed:
        raise InvalidError("Enter a value.", field="value")
    if not WHOLE_NUMBER.fullmatch(typed):
        raise InvalidError("Enter a whole number.", field="value")
    number = int(typed, 16) if typed[:2].lower() == "0x" else int(typed)
    if entry and not entry.low <= number <= entry.high:
        raise InvalidError(f"Enter {_range(entry)}. {entry.name} stays as it was.", field="value")
    if not entry and not -INT64 <= number < INT64:
        raise InvalidError("The number does not fit in 64 bits.", field="value")
    return number


def _range(entry: Entry) -> str:
    return entry.range_text if entry.high - entry.low < 3 else f"a whole number from {entry.range_text}"


def _protected(entry: Entry | None, typed: str) -> Secret:
    if not typed:
        raise InvalidError("Enter a value.", field="value")
    if typed == PROTECTED:
        raise InvalidError(f"“{PROTECTED}” stands for a value that is not shown. Enter the value.", field="value")
    _check_length(entry, typed)
    if CONTROL.search(typed):
        raise InvalidError("The value has a line break or another control character.", field="value")
    return Secret(typed)


def _text(setting_name: str, entry: Entry | None, typed: str) -> str:
    if not typed:
        raise InvalidError("Enter a value.", field="value")
    _check_length(entry, typed)
    if CONTROL.search(typed):
        raise InvalidError("The value has a line break or another control character.", field="value")
    if setting_name == "HSMModulePath" and not ABSOLUTE_PATH.match(typed):
        # A bare file name would load whatever the loader's search path finds first.
        raise InvalidError("Enter the full path of the module, from the root folder on.", field="value")
    return typed


def _check_length(entry: Entry | None, typed: str) -> None:
    longest = entry.longest if entry else UNKNOWN_LONGEST
    length = len(typed.encode("utf-8", "surrogatepass"))
    if length > longest:
        raise InvalidError(f"At most {longest} bytes; this is {length}.", field="value")
    if any("\ud800" <= character <= "\udfff" for character in typed):
        raise InvalidError("The value is not valid Unicode text.", field="value")
