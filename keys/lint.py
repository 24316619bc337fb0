"""Small lint of certificates: the DER is parsed anew by another library (asn1crypto) and held against the profile.

Every rule is a row of a table with its source. The linter runs before anything is signed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import x509 as asn1

from keys.profiles import DnsNames, Profile
from keys.validity import NEVER, Period

UTC_TIME_ENDS = 2050  # RFC 5280 §4.1.2.5
MAX_SERIAL_OCTETS = 20  # RFC 5280 §4.1.2.2
MIN_SERIAL_BITS = 64  # CA/Browser Forum Baseline Requirements §7.1: at least 64 bits from a CSPRNG
CA_ONLY = {
    "basic_constraints",
    "key_usage",
    "key_identifier",
    "authority_key_identifier",
    "extended_key_usage",
}


@dataclass(frozen=True)
class Intent:
    """What was asked for, in terms of the profile; `issuer` is None for a self-signed certificate."""

    profile: Profile
    subject: bytes
    spki: bytes
    algorithm: str
    period: Period
    dns_names: tuple[str, ...]
    issuer: asn1.Certificate | None


@dataclass(frozen=True)
class Rule:
    """`holds` gets the certificate as parsed and the intent."""

    code: str
    says: str
    source: str
    holds: Callable[["View", Intent], bool]


class View:
    """A parsed certificate, with its extensions by name."""

    def __init__(self, der: bytes) -> None:
        self.certificate = asn1.Certificate.load(der, strict=True)
        self.tbs = self.certificate["tbs_certificate"]
        self.extensions = {extension["extn_id"].native: extension for extension in self.tbs["extensions"]}

    def value(self, name: str) -> Any:
        """Return an extension as plain Python values; None where it is absent."""
        return self.extensions[name]["extn_value"].parsed.native if name in self.extensions else None

    def critical(self, name: str) -> bool:
        """Tell whether the extension is there and critical."""
        return name in self.extensions and bool(self.extensions[name]["critical"].native)


def problems(der: bytes, intent: Intent) -> tuple[str, ...]:
    """Return what is wrong with a certificate, each with its source; nothing when it is right."""
    view = View(der)
    return tuple(f"{rule.code}: {rule.says} ({rule.source})" for rule in RULES if not rule.holds(view, intent))


def _times_are_encoded_right(view: View, _intent: Intent) -> bool:
    for end in ("not_before", "not_after"):
        choice = view.tbs["validity"][end]
        expected, length = ("utc_time", 13) if choice.native.year < UTC_TIME_ENDS else ("general_time", 15)
        if choice.name != expected or len(choice.chosen.contents) != length or choice.chosen.contents[-1:] != b"Z":
            return False
    return True


def _validity(view: View) -> Period:
    ends = (view.tbs["validity"][end].native.astimezone(UTC) for end in ("not_before", "not_after"))
    return Period(*ends)


def _within_issuer(view: View, intent: Intent) -> bool:
    if intent.issuer is None:
        return True
    issuer = intent.issuer["tbs_certificate"]["validity"]
    mine = _validity(view)
    ends: tuple[datetime, datetime] = (issuer["not_before"].native, issuer["not_after"].native)
    return ends[0] <= mine.not_before <= mine.not_after <= ends[1]


def _names_chain(view: View, intent: Intent) -> bool:
    issuer = view.tbs["subject"] if intent.issuer is None else intent.issuer.subject
    return bool(view.tbs["issuer"].dump() == issuer.dump())


def _subject(view: View, intent: Intent) -> bool:
    return len(view.tbs["subject"].chosen) > 0 and view.tbs["subject"].dump() == intent.subject


def _basic_constraints(view: View, intent: Intent) -> bool:
    if not intent.profile.is_ca:
        return "basic_constraints" not in view.extensions
    wanted = {"ca": True, "path_len_constraint": intent.profile.path_length}
    return view.critical("basic_constraints") and dict(view.value("basic_constraints")) == wanted


def _key_usage(view: View, intent: Intent) -> bool:
    return view.critical("key_usage") and view.value("key_usage") == {str(use) for use in intent.profile.key_usage}


def _extended_key_usage(view: View, intent: Intent) -> bool:
    if "extended_key_usage" not in view.extensions:
        return not intent.profile.extended_key_usage
    found = [purpose.dotted for purpose in view.extensions["extended_key_usage"]["extn_value"].parsed]
    return not view.critical("extended_key_usage") and found == list(intent.profile.extended_key_usage)


def _subject_key_identifier(view: View, _intent: Intent) -> bool:
    return len(view.value("key_identifier") or b"") == 20 and not view.critical("key_identifier")


def _authority_key_identifier(view: View, intent: Intent) -> bool:
    if intent.issuer is None:
        return "authority_key_identifier" not in view.extensions
    found = view.value("authority_key_identifier")
    return (
        found is not None
        and found["key_identifier"] == intent.issuer.key_identifier
        and not view.critical("authority_key_identifier")
    )


def _dns_names(view: View, intent: Intent) -> bool:
    if not intent.dns_names:
        return "subject_alt_name" not in view.extensions and intent.profile.dns_names is not DnsNames.REQUIRED
    allowed = intent.profile.dns_names is not DnsNames.NONE
    return (
        allowed and view.value("subject_alt_name") == list(intent.dns_names) and not view.critical("subject_alt_name")
    )


def _extensions_are_known(view: View, _intent: Intent) -> bool:
    return len(view.extensions) == len(view.tbs["extensions"]) and set(view.extensions) <= CA_ONLY | {
        "subject_alt_name"
    }


def _algorithms_agree(view: View, intent: Intent) -> bool:
    inner, outer = view.tbs["signature"], view.certificate["signature_algorithm"]
    return bool(inner.dump() == outer.dump()) and inner["algorithm"].native == intent.algorithm


def _serial(view: View, _intent: Intent) -> bool:
    serial: int = view.tbs["serial_number"].native
    octets = len(view.tbs["serial_number"].contents)
    return serial > 0 and octets <= MAX_SERIAL_OCTETS and serial.bit_length() >= MIN_SERIAL_BITS


def _never_expires(view: View, intent: Intent) -> bool:
    return (_validity(view).not_after == NEVER) == intent.profile.never_expires


RULES = (
    Rule(
        "version",
        "is a version 3 certificate",
        "RFC 5280 §4.1.2.1",
        lambda v, _: v.tbs["version"].native == "v3",
    ),
    Rule(
        "der",
        "encodes to the same bytes again",
        "X.690 §10",
        lambda v, _: v.certificate.copy().dump(force=True) == v.certificate.dump(),
    ),
    Rule("serial", "has a positive serial of 64 bits to 20 octets", "RFC 5280 §4.1.2.2", _serial),
    Rule("algorithm", "says the issuer's algorithm inside and outside", "RFC 5280 §4.1.1.2", _algorithms_agree),
    Rule("issuer", "names its issuer byte by byte", "RFC 5280 §4.1.2.4", _names_chain),
    Rule("subject", "names its subject as intended", "RFC 5280 §4.1.2.6", _subject),
    Rule("time", "uses UTCTime until 2049, then GeneralizedTime", "RFC 5280 §4.1.2.5", _times_are_encoded_right),
    Rule("period", "holds for the intended period", "RFC 5280 §4.1.2.5", lambda v, i: _validity(v) == i.period),
    Rule("no-end", "has no end exactly if its profile says so", "RFC 5280 §4.1.2.5", _never_expires),
    Rule("outlives", "does not outlive its issuer", "RFC 5280 §6.1.3 (a)(2)", _within_issuer),
    Rule(
        "key",
        "holds the intended key",
        "RFC 5280 §4.1.2.7",
        lambda v, i: v.tbs["subject_public_key_info"].dump() == i.spki,
    ),
    Rule(
        "basic-constraints",
        "is a CA exactly as its profile says, critical",
        "RFC 5280 §4.2.1.9",
        _basic_constraints,
    ),
    Rule("key-usage", "allows the uses of its profile only, critical", "RFC 5280 §4.2.1.3", _key_usage),
    Rule(
        "extended-key-usage",
        "allows the purposes of its profile only",
        "RFC 5280 §4.2.1.12",
        _extended_key_usage,
    ),
    Rule(
        "subject-key-identifier",
        "names its key by 160 bits",
        "RFC 5280 §4.2.1.2, RFC 7093 §2",
        _subject_key_identifier,
    ),
    Rule("authority-key-identifier", "names its issuer's key", "RFC 5280 §4.2.1.1", _authority_key_identifier),
    Rule("dns-names", "names exactly the intended hosts", "RFC 5280 §4.2.1.6, RFC 9525 §2", _dns_names),
    Rule("extensions", "has each known extension once, and no other", "RFC 5280 §4.2", _extensions_are_known),
)
