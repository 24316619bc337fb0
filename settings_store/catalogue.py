"""Every setting that the console knows, as data.

A setting that is not here may exist all the same: the console keeps it and marks it, and nothing reads it.
Help and rules are shown beside the field; their sources are the rows SET, ROT, TLS, HSI and SUM.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Scope(StrEnum):
    """Local rows belong to one server and are never shared; a Global row holds for every server."""

    LOCAL = "Local"
    GLOBAL = "Global"


class ValueType(StrEnum):
    """Protected values are sealed when they arrive and never shown again."""

    TEXT = "Text"
    NUMERIC = "Numeric"
    PROTECTED = "Protected"


class Group(StrEnum):
    """The heading under which a setting is explained."""

    HSM = "HSM integration"
    KEY_STORE = "Key store of the server"
    TLS = "TLS of clients"
    ROTATION = "Key rotation"
    CONSOLE = "This console"


@dataclass(frozen=True)
class Caution:
    """Shown on the form, and again after a save that leaves the setting at `value` (None: at any value)."""

    text: str
    value: int | None = None


@dataclass(frozen=True)
class Entry:
    """One setting. `low` and `high` are inclusive, `longest` counts bytes of UTF-8.

    `pre_set`: the row is always in the grid and cannot be deleted. `local_only`: a Global row is refused.
    `starts` names the job kind that a change enqueues. `keeps_former`: a sealed value that is replaced or
    deleted stays until that job has no more need of it.
    """

    name: str
    scope: Scope
    value_type: ValueType
    group: Group
    help: str
    default: int | None = None
    low: int = 0
    high: int = 2**31 - 1
    longest: int = 1024
    unit: str = ""
    pre_set: bool = False
    local_only: bool = False
    rule: str = ""
    meanings: tuple[tuple[int, str], ...] = ()
    cautions: tuple[Caution, ...] = ()
    starts: str = ""
    keeps_former: bool = False

    @property
    def default_text(self) -> str:
        """Return the default as it would stand in a row; empty when there is none."""
        return "" if self.default is None else str(self.default)

    @property
    def range_text(self) -> str:
        """Return the allowed values in words; empty when any text is allowed."""
        if self.value_type is not ValueType.NUMERIC:
            return ""
        if self.high - self.low < 3:
            *most, last = [str(value) for value in range(self.low, self.high + 1)]
            return f"{', '.join(most)} or {last}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low} to {self.high}{unit}"


KEYS_ON_HSM = ("Root", "MessageSigning")
KEY_WORDS = {"Root": "root", "MessageSigning": "message-signing"}

PIN_BYTES = 255  # ulPinLen is not limited by PKCS#11; no token known to us takes more
DAYS_AT_MOST = 36_500
HOURS_AT_MOST = DAYS_AT_MOST * 24

NETWORK_TEAM = Caution(
    "Speak with support and with your network security team before you change how components use TLS."
)
FALLBACK_ONLY = Caution("Has an effect only on Client 7.2, and only while ReportingTLSMode is 2.")

FLAG_UNSET = "The setting is absent until you add it; absent means 0."


def _hsm() -> Iterator[Entry]:
    yield Entry(
        "HSMModulePath", Scope.LOCAL, ValueType.TEXT, Group.HSM, local_only=True,
        help="Full path, on this server, of the PKCS#11 module (a shared library) that came with your HSM. "
        "The next key operation loads it; no restart is needed.",
        rule="One path for this server, such as /usr/lib/softhsm/libsofthsm2.so.",
    )  # fmt: skip
    for key in KEYS_ON_HSM:
        word = KEY_WORDS[key]
        yield Entry(
            f"Keys.{key}.UseHSM", Scope.LOCAL, ValueType.NUMERIC, Group.HSM, local_only=True, high=1,
            help=f"Where the next {word} key of this server is made. Keys that exist stay where they are.",
            rule=FLAG_UNSET,
            meanings=((0, "in the key store of this server"), (1, "on the HSM, where it stays")),
        )  # fmt: skip
        yield Entry(
            f"Keys.{key}.HSMPassword", Scope.LOCAL, ValueType.PROTECTED, Group.HSM, local_only=True, longest=PIN_BYTES,
            help=f"PIN of the token that holds the {word} key: the user PIN, not the one of the security officer. "
            "It is tried once; a PIN that the token rejects is not tried again until you enter it anew.",
            rule="The security officer sets it with pkcs11-tool --init-pin; --change-pin changes it later.",
            starts="hsm.follow-pin",
        )  # fmt: skip
        yield Entry(
            f"Keys.{key}.HSMTokenName", Scope.LOCAL, ValueType.TEXT, Group.HSM, local_only=True, longest=32,
            help=f"Name (label) of the token on which the {word} key is made. "
            "A token is a logical view of a cryptographic device that contains keys.",
            rule=f"Give the name, or Keys.{key}.HSMTokenID. With both, they must be the same token.",
        )  # fmt: skip
        yield Entry(
            f"Keys.{key}.HSMTokenID", Scope.LOCAL, ValueType.NUMERIC, Group.HSM, local_only=True, high=2**64 - 1,
            help=f"Slot number (CK_SLOT_ID) of the token on which the {word} key is made, instead of its name.",
            rule=f"Decimal, or hexadecimal after 0x. Keys.{key}.HSMTokenName is the safer choice: "
            "some modules number their slots anew after a restart.",
        )  # fmt: skip


def _key_store() -> Iterator[Entry]:
    yield Entry(
        "PKIDatabasePassword", Scope.LOCAL, ValueType.PROTECTED, Group.KEY_STORE, local_only=True,
        help="Encrypts the private keys that this server keeps in pki.db. While it is absent they are wrapped by "
        "the sealing key of the server. Add it on each server of an active-active deployment.",
        rule="A change re-encrypts pki.db as a background job; until it is done the old password opens it too.",
        cautions=(
            Caution(
                "Store this password in a safe place as well. The console cannot show it to you, and without it "
                "and the sealing key of the server the keys in pki.db are lost."
            ),
        ),
        starts="keys.pki-password",
        keeps_former=True,
    )  # fmt: skip


def _tls() -> Iterator[Entry]:
    def entry(name: str, default: int, text: str, **more: object) -> Entry:
        values: dict[str, object] = {"pre_set": True, "high": 1, "cautions": (NETWORK_TEAM,), **more}
        return Entry(name, Scope.GLOBAL, ValueType.NUMERIC, Group.TLS, text, default, **values)  # type: ignore[arg-type]

    yield entry(
        "enable_protocol_314_flag", 0,
        "Lets Client 7.2 authenticate, and offers keystead.pub for it. Needed only while such clients exist.",
        meanings=((0, "Client 7.2 cannot authenticate"), (1, "Client 7.2 can authenticate")),
    )  # fmt: skip
    yield entry(
        "require_client_tls_315_flag", 1,
        "Whether Client 7.4 or later must use TLS towards this server and the Zone Servers. "
        "Leave it at 1: that is the recommendation for every deployment.",
        meanings=((0, "with or without TLS"), (1, "only with TLS")),
        cautions=(NETWORK_TEAM, Caution("Clients 7.4 and later can connect without TLS. "
                                        "Contact support before you work with this.", 0)),
    )  # fmt: skip
    yield entry(
        "require_client_tls_314_flag", 0,
        "Whether Client 7.2 must use TLS towards this server and the Zone Servers.",
        meanings=((0, "with or without TLS"), (1, "only with TLS")),
        cautions=(NETWORK_TEAM, Caution(
            "Any Client 7.2 without TLS is refused. Set 1 only when every deployed Client 7.2 uses TLS, and "
            "when new ones are configured for TLS before they register for the first time.", 1)),
    )  # fmt: skip
    yield entry(
        "TLSMode", 1,
        "How Client 7.4 or later talks to other clients, to servers and to Zone Servers.",
        meanings=((0, "TLS is off"), (1, "TLS always, or no connection")),
    )  # fmt: skip
    yield entry(
        "ReportingTLSMode", 0,
        "How Client 7.2 talks to servers and Zone Servers. Go from 0 to 2 first, and to 1 only when Client Status "
        "shows that TLS works reliably.",
        high=2,
        meanings=((0, "TLS is not used"), (1, "TLS always, or no registration"),
                  (2, "TLS first, then without")),
        cautions=(NETWORK_TEAM, Caution("A Client 7.2 whose handshake fails can no longer register. Best practice "
                                        "is to work with 2 first, until reliable TLS is confirmed.", 1)),
    )  # fmt: skip
    yield entry(
        "OptionalTLSMinAttemptCount", 3,
        "How often Client 7.2 tries TLS before it falls back to a connection without TLS.",
        low=1, high=100, unit="attempts", cautions=(NETWORK_TEAM, FALLBACK_ONLY),
    )  # fmt: skip
    yield entry(
        "OptionalTLSBackoffIntervalSeconds", 1,
        "How long Client 7.2 waits before it tries TLS again after that many failures. It doubles after each series.",
        low=1, high=86_400, unit="seconds", cautions=(NETWORK_TEAM, FALLBACK_ONLY),
    )  # fmt: skip
    yield entry(
        "OptionalTLSMaxBackoffSeconds", 3600,
        "The longest that the wait of OptionalTLSBackoffIntervalSeconds can become.",
        low=1, high=86_400, unit="seconds", cautions=(NETWORK_TEAM, FALLBACK_ONLY),
    )  # fmt: skip


@dataclass(frozen=True)
class Rotation:
    """A kind of key that rotates by itself, with the names of its two settings (Table 1 of ROT)."""

    what: str
    duration: str
    window: str
    days: int
    hours: int


ROTATIONS = (
    Rotation("the server's TLS key, for the other server, the hub and clients",
             "pki_server_tls_key_duration_days", "pki_server_tls_key_renewal_window_hours", 60, 4),
    Rotation("the key that signs messages to clients",
             "pki_message_signing_key_duration_days", "pki_message_signing_key_renewal_window_hours", 180, 4),
    Rotation("the hub's TLS key, for the server and the Zone Server",
             "pki_hub_tls_key_duration_days", "pki_hub_tls_key_renewal_window_hours", 60, 4),
    Rotation("the Zone Server's TLS key, for the hub and clients",
             "pki_zoneserver_tls_key_duration_days", "pki_zoneserver_tls_key_renewal_window_hours", 60, 4),
    Rotation("the intermediate key that signs the keys of clients",
             "pki_client_tls_ca_key_duration_days", "pki_client_tls_ca_key_renewal_window_hours", 180, 168),
    # The window of the client key is spelled differently from the other eleven on purpose (ROT-20).
    Rotation("a client's own key",
             "pki_client_tls_key_duration_days", "PKIClientTLSKeyRenewalWindowHours", 7, 4),
)  # fmt: skip
CLIENT_CA_ROTATION, CLIENT_ROTATION = ROTATIONS[4], ROTATIONS[5]


def _rotation() -> Iterator[Entry]:
    for kind in ROTATIONS:
        yield Entry(
            kind.duration, Scope.GLOBAL, ValueType.NUMERIC, Group.ROTATION, pre_set=True,
            default=kind.days, low=1, high=DAYS_AT_MOST, unit="days",
            help=f"How long a new key is valid: {kind.what}.",
            rule="Match your organisation's policy; without one, keep the default. It must exceed the renewal window "
            "by at least one hour; otherwise it is raised to that.",
        )  # fmt: skip
        yield Entry(
            kind.window, Scope.GLOBAL, ValueType.NUMERIC, Group.ROTATION, pre_set=True,
            default=kind.hours, low=1, high=HOURS_AT_MOST, unit="hours",
            help=f"How long before its end a new one is made of {kind.what}. Both are accepted meanwhile.",
            rule="No key rotates more than once an hour, whatever the two values are.",
        )  # fmt: skip


def _console() -> Iterator[Entry]:
    yield Entry(
        "max_console_idle_seconds", Scope.GLOBAL, ValueType.NUMERIC, Group.CONSOLE, pre_set=True,
        default=900, low=60, high=86_400, unit="seconds",
        help="A session in this console ends after this time without a click.",
    )  # fmt: skip
    yield Entry(
        "require_mfa_for_administrators_flag", Scope.GLOBAL, ValueType.NUMERIC, Group.CONSOLE, pre_set=True,
        default=0, high=1,
        help="Whether an Administrator must set up a second factor at the next sign-in.",
        meanings=((0, "a second factor is a choice"), (1, "a second factor is a duty")),
    )  # fmt: skip
    yield Entry(
        "client_certificate_history_days", Scope.GLOBAL, ValueType.NUMERIC, Group.CONSOLE, pre_set=True,
        default=400, high=DAYS_AT_MOST, unit="days",
        help="How long after its end the certificate of a client stays on its page. Then it is deleted, but not the "
        "last one of a client. The activity log keeps what proves that it was issued: the Merkle root of its batch.",
        rule="A value from 1 to 29 counts as 30.",
        meanings=((0, "no certificate is ever deleted"),),
    )  # fmt: skip
    yield Entry(
        "allow_tls13", Scope.GLOBAL, ValueType.NUMERIC, Group.TLS, pre_set=True, default=1, high=1,
        help="Whether the platform listener and the HSM gateway offer TLS 1.3 beside TLS 1.2.",
        meanings=((0, "TLS 1.2 only"), (1, "TLS 1.2 and 1.3")),
        cautions=(NETWORK_TEAM,),
    )  # fmt: skip


ENTRIES: dict[str, Entry] = {
    entry.name: entry for part in (_hsm, _key_store, _tls, _rotation, _console) for entry in part()
}
PRE_SET: tuple[Entry, ...] = tuple(entry for entry in ENTRIES.values() if entry.pre_set)
HSM_NAMES: frozenset[str] = frozenset(entry.name for entry in ENTRIES.values() if entry.group is Group.HSM)


def near_miss(name: str) -> str:
    """Return the known name that `name` was probably meant to be, or an empty string."""
    if name in ENTRIES:
        return ""
    lowered = {known.lower(): known for known in ENTRIES}
    close = get_close_matches(name.strip().lower(), lowered, n=1, cutoff=0.82)
    return lowered[close[0]] if close else ""
