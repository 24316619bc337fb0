"""The guided page HSM integration: nine steps in their order, what holds at each, and what is missing (HSI-16).

It reads rows only. What a step changes are the same Advanced Settings, through the same store.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from console.jobs.models import Job
from console.servers.current import current
from console.servers.models import Server
from hsm import holders
from hsm.guard import live_bindings
from hsm.models.tokens import SeenToken
from hsm.report import last_check
from keys import jobs
from keys.models.root import Root
from keys.models.subordinate import Subordinate
from keys.purposes import Purpose
from settings_store.catalogue import ENTRIES, HSM_NAMES, KEY_WORDS, KEYS_ON_HSM
from settings_store.contradictions import Finding
from settings_store.snapshot import effective_values, findings
from settings_store.values import Effective, Source


@dataclass(frozen=True)
class Step:
    """`light` is ok, warn, bad or idle (nothing to do, or not yet); `summary` says what holds or is missing."""

    slug: str
    number: int
    title: str
    light: str
    summary: str


@dataclass(frozen=True)
class KeySettings:
    """What the settings say about one of the two keys that an HSM may hold."""

    key: str
    word: str
    used: bool
    has_pin: bool
    token_name: str
    token_id: str

    @property
    def token(self) -> str:
        """The token in words; empty when none is named."""
        if self.token_name:
            return f"“{self.token_name}”"
        return f"slot {self.token_id}" if self.token_id else ""


class Integration:
    """One reading of everything the guided page shows."""

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or current()
        self.effective = effective_values(self.server)

    def _value(self, name: str) -> str:
        found: Effective = self.effective[name]
        return "" if found.source is Source.ABSENT else found.text

    @cached_property
    def module_path(self) -> str:
        """The value of HSMModulePath, or an empty string."""
        return self._value("HSMModulePath")

    @cached_property
    def keys(self) -> list[KeySettings]:
        """The settings of each key."""
        return [
            KeySettings(
                key=key,
                word=KEY_WORDS[key],
                used=self._value(f"Keys.{key}.UseHSM") == "1",
                has_pin=bool(self._value(f"Keys.{key}.HSMPassword")),
                token_name=self._value(f"Keys.{key}.HSMTokenName"),
                token_id=self._value(f"Keys.{key}.HSMTokenID"),
            )
            for key in KEYS_ON_HSM
        ]

    @cached_property
    def used(self) -> list[KeySettings]:
        """The keys whose next generation goes to an HSM."""
        return [key for key in self.keys if key.used]

    @cached_property
    def tokens(self) -> list[SeenToken]:
        """The tokens that the configured module showed when it was last asked."""
        return list(SeenToken.objects.filter(server=self.server, asked_path=self.module_path))

    @cached_property
    def findings(self) -> list[Finding]:
        """What does not fit together in the HSM settings."""
        return [one for one in findings(self.server) if not HSM_NAMES.isdisjoint(one.names)]

    @cached_property
    def check(self) -> Job | None:
        """The newest check."""
        return last_check()

    @cached_property
    def verification(self) -> Job | None:
        """The newest verification of keys."""
        return Job.objects.filter(kind_name=jobs.VERIFY_KEYS.name, server=self.server).first()

    @cached_property
    def review(self) -> list[tuple[str, Effective]]:
        """The nine HSM settings with their values as they may be shown (HSI-17)."""
        return [(name, self.effective[name]) for name in ENTRIES if name in HSM_NAMES]

    @cached_property
    def newest_root(self) -> Root | None:
        """The newest active root of this server."""
        return Root.objects.numbered(self.server).select_related("binding").first()

    @cached_property
    def message_key(self) -> Subordinate | None:
        """The message-signing key in use."""
        active = Subordinate.objects.active(self.server).filter(purpose=Purpose.MESSAGE_SIGNING)
        return active.select_related("binding").first()

    @cached_property
    def legacy_root(self) -> Root | None:
        """The root for Client 7.2: on an HSM only after an upgrade from 7.3 with one (HSI-05, HSI-06)."""
        return next((root for root in Root.objects.active(self.server) if root.is_legacy), None)

    @cached_property
    def steps(self) -> list[Step]:
        """The nine steps, each as it stands."""
        return [Step(slug, number, title, *judge(self)) for number, (slug, title, judge) in enumerate(STEPS, start=1)]

    def step(self, slug: str) -> Step | None:
        """Return one step."""
        return next((step for step in self.steps if step.slug == slug), None)

    def next_step(self) -> Step:
        """Return the first step that is not done; the review when nothing is missing."""
        open_steps = [step for step in self.steps if step.light in {"bad", "warn"}]
        return open_steps[0] if open_steps else self.steps[5]


def on_each_server() -> list[tuple[Server, list[KeySettings]]]:
    """Return every server of the deployment with what its settings say; one server alone gives nothing (HSI-33)."""
    servers = list(Server.objects.order_by("fqdn"))
    return [(server, Integration(server).keys) for server in servers] if len(servers) > 1 else []


Verdict = tuple[str, str]


def _settings(_here: Integration) -> Verdict:
    return "ok", "These steps change the same settings."


def _module(here: Integration) -> Verdict:
    if not here.module_path:
        return "warn" if not here.used else "bad", "No module is set."
    if not here.tokens:
        return "warn", f"{here.module_path}; not asked for its tokens yet."
    there = sum(token.initialized for token in here.tokens)
    return "ok", f"{here.module_path}, {there} token{'' if there == 1 else 's'}."


def _use(here: Integration) -> Verdict:
    if not here.used:
        return "warn", "Both keys are made in the key store of this server."
    return "ok", " ".join(
        f"{key.word.capitalize()} key: {'on the HSM' if key.used else 'on this server'}." for key in here.keys
    )


def _pin(here: Integration) -> Verdict:
    missing = [key.word for key in here.used if not key.has_pin]
    if missing:
        return "bad", f"No PIN for the {' and the '.join(missing)} key."
    return ("ok", "Stored, hidden.") if here.used else ("idle", "Needed for a key on the HSM.")


def _token(here: Integration) -> Verdict:
    missing = [key.word for key in here.used if not key.token]
    if missing:
        return "bad", f"No token named for the {' and the '.join(missing)} key."
    if not here.used:
        return "idle", "Needed for a key on the HSM."
    return "ok", " ".join(f"{key.word.capitalize()} key: {key.token}." for key in here.used)


def _review(here: Integration) -> Verdict:
    if here.findings:
        return "bad", here.findings[0].text
    there = sum(value.source is not Source.ABSENT for _, value in here.review)
    return ("ok", f"{there} of {len(here.review)} settings are set.") if there else ("idle", "Nothing to review yet.")


def _check(here: Integration) -> Verdict:
    if here.check is None:
        return ("warn", "Not checked yet.") if here.used else ("idle", "Not checked yet.")
    if here.check.is_open:
        return "warn", "Being checked."
    if here.check.result.get("ok"):
        return _stale(here) or ("ok", here.check.message)
    return "bad", here.check.message


def _stale(here: Integration) -> Verdict | None:
    changed = [value.row.changed_at for _, value in here.review if value.row]
    if here.check and changed and max(changed) > here.check.created_at:
        return "warn", "A setting was changed after the last check."
    return None


def _rotate(here: Integration) -> Verdict:
    made: list[tuple[str, Root | Subordinate | None]] = [
        ("Root", here.newest_root),
        ("MessageSigning", here.message_key),
    ]
    if here.newest_root is None:
        return "warn", "There is no root key yet."
    elsewhere = []
    for settings_key, key in made:
        wanted = next(one for one in here.keys if one.key == settings_key)
        if key is not None and key.on_token != wanted.used:
            elsewhere.append(f"the {wanted.word} key is in {key.store_label}")
    if elsewhere:
        return "warn", f"Made before the present settings: {' and '.join(elsewhere)}."
    return "ok", "The keys in use are where the settings say."


def _verify(here: Integration) -> Verdict:
    job = here.verification
    if job is None:
        return "warn", "Not verified yet."
    if job.is_open:
        return "warn", "Being verified."
    passed = all(line["ok"] for line in job.result.get("lines", [])) and job.state == "succeeded"
    return "ok" if passed else "bad", job.message


STEPS: tuple[tuple[str, str, Callable[[Integration], Verdict]], ...] = (
    ("settings", "Open Advanced Settings", _settings),
    ("module", "Name the PKCS#11 module", _module),
    ("use", "Choose where each key is made", _use),
    ("pin", "Enter the PIN of each token", _pin),
    ("token", "Choose the token of each key", _token),
    ("review", "Review the settings", _review),
    ("check", "Check (no restart is needed)", _check),
    ("rotate", "Rotate the root keys", _rotate),
    ("verify", "Verify", _verify),
)


def bindings_with_state(server: Server) -> list[dict[str, object]]:
    """Return the tokens that keys of this server live on, with the keys."""
    found = [
        {"binding": binding, "keys": holders.keys_on(binding)} for binding in live_bindings().filter(server=server)
    ]
    return [one for one in found if one["keys"]]
