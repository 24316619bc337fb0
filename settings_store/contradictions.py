"""Settings that do not fit together, found by pure functions over one snapshot of effective values.

A finding that is `blocking` refuses the save that would make it; the others are pointed out on the page.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from settings_store.catalogue import CLIENT_CA_ROTATION, CLIENT_ROTATION, KEYS_ON_HSM, ROTATIONS, Rotation

SESSION_AT_MOST_SECONDS = 12 * 3600

Snapshot = Mapping[str, int | str]


@dataclass(frozen=True)
class Finding:
    """`names` are the settings concerned; `text` says what will happen, and what to change."""

    names: tuple[str, ...]
    text: str
    blocking: bool = False


@dataclass(frozen=True)
class KnownToken:
    """A token that the module showed when it was last asked."""

    module_path: str
    slot_id: int
    label: str


def effective_hours(kind: Rotation, values: Snapshot) -> int:
    """Return the validity that new keys get: at least one hour longer than the window (ROT-06, AMB-12)."""
    return max(_number(values, kind.duration) * 24, _number(values, kind.window) + 1)


def raised(kind: Rotation, values: Snapshot) -> bool:
    """Whether the stored days are too short for the window."""
    return effective_hours(kind, values) > _number(values, kind.duration) * 24


def find(values: Snapshot, tokens: Iterable[KnownToken] = ()) -> list[Finding]:
    """Return every finding, most serious first."""
    known = tuple(tokens)
    found = [finding for rule in RULES for finding in rule(values)]
    found += [finding for key in KEYS_ON_HSM for finding in _token_name_and_id(key, values, known)]
    return sorted(found, key=lambda finding: not finding.blocking)


def _rotation(values: Snapshot) -> Iterator[Finding]:
    for kind in ROTATIONS:
        if raised(kind, values):
            hours, days = effective_hours(kind, values), _number(values, kind.duration)
            yield Finding(
                (kind.duration, kind.window),
                f"{_days(days)} is not one hour longer than the renewal window of {_number(values, kind.window)} "
                f"hours, so new keys are valid for {hours} hours. The stored value stays.",
            )


def _client_beyond_issuer(values: Snapshot) -> Iterator[Finding]:
    client, issuer = effective_hours(CLIENT_ROTATION, values), effective_hours(CLIENT_CA_ROTATION, values)
    if client > issuer:
        yield Finding(
            (CLIENT_ROTATION.duration, CLIENT_CA_ROTATION.duration),
            f"Keys of clients would be valid for {client} hours, but the key that signs them only for {issuer}. "
            "No certificate outlives its issuer, so they end earlier.",
        )


def _hsm_without_what_it_needs(values: Snapshot) -> Iterator[Finding]:
    for key in KEYS_ON_HSM:
        use = f"Keys.{key}.UseHSM"
        if values.get(use) != 1:
            continue
        token = (f"Keys.{key}.HSMTokenName", f"Keys.{key}.HSMTokenID")
        needed = [("HSMModulePath",), (f"Keys.{key}.HSMPassword",), token]
        if missing := [names for names in needed if not any(name in values for name in names)]:
            said = ", ".join(" or ".join(names) for names in missing)
            yield Finding(
                (use, *(name for names in missing for name in names)),
                f"{use} is 1, but {said} {'is' if len(missing) == 1 else 'are'} not set. "
                "The next key cannot be made until that is there.",
            )


def _tls(values: Snapshot) -> Iterator[Finding]:
    if values["require_client_tls_315_flag"] == 1 and values["TLSMode"] == 0:
        yield Finding(
            ("require_client_tls_315_flag", "TLSMode"),
            "Client 7.4 or later must use TLS, but TLSMode 0 tells it not to: such clients will be refused.",
        )
    if values["require_client_tls_314_flag"] == 1 and values["ReportingTLSMode"] == 0:
        yield Finding(
            ("require_client_tls_314_flag", "ReportingTLSMode"),
            "Client 7.2 must use TLS, but ReportingTLSMode 0 tells it not to: such clients will be refused.",
        )
    interval, longest = "OptionalTLSBackoffIntervalSeconds", "OptionalTLSMaxBackoffSeconds"
    if _number(values, interval) > _number(values, longest):
        yield Finding((interval, longest), "The first wait is longer than the longest: the longest counts.")


def _console(values: Snapshot) -> Iterator[Finding]:
    name = "max_console_idle_seconds"
    if _number(values, name) > SESSION_AT_MOST_SECONDS:
        yield Finding((name,), "A session ends after 12 hours at most, whatever this value is.")


RULES: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (
    _hsm_without_what_it_needs,
    _rotation,
    _client_beyond_issuer,
    _tls,
    _console,
)


def _token_name_and_id(key: str, values: Snapshot, tokens: tuple[KnownToken, ...]) -> Iterator[Finding]:
    names = (f"Keys.{key}.HSMTokenName", f"Keys.{key}.HSMTokenID")
    label, slot = (values.get(name) for name in names)
    if label is None or slot is None:
        return
    of_module = [token for token in tokens if token.module_path == values.get("HSMModulePath")]
    at_slot = [token for token in of_module if token.slot_id == slot]
    if any(token.label == label for token in at_slot):
        return
    if at_slot:
        yield Finding(
            names,
            f"{names[0]} is “{label}”, but the token at {names[1]} {slot} is named “{at_slot[0].label}”. "
            "Both must be the same token; one of the two settings is enough.",
            blocking=True,
        )
        return
    yield Finding(names, "Both are set. Check HSM integration tells whether they are the same token.")


def _number(values: Snapshot, name: str) -> int:
    return int(values[name])


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
