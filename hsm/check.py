"""Check HSM integration: what the next key operation would do, found out by doing it with a key that does not stay.

Worker only. Each line is green, or says why not, with the code and the next step. A PIN is tried once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from console import pkilog
from console.jobs.running import Run
from console.lib import clock
from console.lib.errors import ConsoleError
from console.servers.current import current
from hsm import bindings, tokens
from hsm.device.base import Device, KeySpec, SelfTesting, TokenFlag, TokenInfo
from hsm.device.errors import DeviceError
from hsm.models.tokens import TokenCapability
from hsm.pins import EnteredPin
from hsm.placement import Wanted, choose
from settings_store import values
from settings_store.catalogue import KEY_WORDS, KEYS_ON_HSM

SPECS = {"Root": KeySpec.EC_P384, "MessageSigning": KeySpec.EC_P256}
WORTH_A_WARNING = (TokenFlag.USER_PIN_COUNT_LOW, TokenFlag.USER_PIN_FINAL_TRY, TokenFlag.USER_PIN_TO_BE_CHANGED)


class Light(StrEnum):
    """What a line shows."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


@dataclass(frozen=True)
class Line:
    """One step of the check."""

    name: str
    light: Light
    detail: str = ""
    code: str = ""
    next_step: str = ""

    @classmethod
    def failed(cls, name: str, error: ConsoleError | DeviceError) -> "Line":
        """Return the red line for an error."""
        return cls(name, Light.BAD, error.message, error.code, error.next_step)


@dataclass
class Report:
    """Parts with their lines; written into the job as it grows, so that the page shows each line when it is known."""

    run: Run
    parts: list[dict[str, Any]] = field(default_factory=list)

    def part(self, title: str) -> None:
        """Begin a part."""
        self.parts.append({"title": title, "lines": []})

    def add(self, line: Line) -> None:
        """Add a line to the last part, and show it."""
        self.parts[-1]["lines"].append(asdict(line))
        self.run.result["parts"] = self.parts
        self.run.progress(self.count(), max(self.count() + 1, 14), line.name)
        if line.light is Light.BAD:
            subject = f"{self.parts[-1]['title']}: {line.name}"
            pkilog.write("check", component="hsm.check", subject=subject, result=line.code, level=pkilog.Level.ERROR)

    def count(self, light: Light | None = None) -> int:
        """Return how many lines there are, of one light."""
        return sum(light in {None, line["light"]} for part in self.parts for line in part["lines"])


def check(run: Run) -> str:
    """Check the module, its tokens and both keys; return the summary."""
    report = Report(run)
    module_path = values.text("HSMModulePath")
    found = _check_module(report, module_path)
    for key in KEYS_ON_HSM:
        report.part(f"{KEY_WORDS[key].capitalize()} key")
        _check_key(report, key, found)
    run.result["ok"] = not report.count(Light.BAD)
    if bad := report.count(Light.BAD):
        return f"{bad} of {report.count()} lines need attention."
    return f"All {report.count()} lines are in order."


def _check_module(report: Report, module_path: str | None) -> tuple[TokenInfo, ...] | None:
    report.part("PKCS#11 module")
    if module_path is None:
        report.add(Line("Load the module", Light.IDLE, "HSMModulePath is not set, so no HSM is used."))
        return None
    try:
        module, found = tokens.read(module_path)
    except DeviceError as error:
        report.add(Line.failed("Load the module", error))
        return None
    report.add(
        Line(
            "Load the module",
            Light.OK,
            f"{module.manufacturer}, {module.description} {module.library_version}, Cryptoki {module.cryptoki_version}",
        )
    )
    there = [token for token in found if token.initialized]
    names = ", ".join(f"{token.label} (slot {token.slot_id})" for token in there)
    if there:
        report.add(Line("Find tokens", Light.OK, names))
    else:
        report.add(Line("Find tokens", Light.BAD, "The module shows no initialised token.", "TOKEN_NOT_FOUND",
                        "Have the security officer initialise one, with a name and a PIN."))  # fmt: skip
    return found


def _check_key(report: Report, key: str, found: tuple[TokenInfo, ...] | None) -> None:
    used = values.flag(f"Keys.{key}.UseHSM")
    try:
        wanted = bindings.configured(key)
        pin = bindings.configured_pin(key)
    except ConsoleError as error:
        if used:
            report.add(Line.failed("Read the settings", error))
        _add_outlook(report, key, used=used, token=None)
        return
    if found is None:
        report.add(Line("Find the token", Light.IDLE, "Not looked for: the module did not load."))
        _add_outlook(report, key, used=used, token=None)
        return
    token = _try_token(report, wanted, pin, found, SPECS[key])
    _add_outlook(report, key, used=used, token=token)


def _try_token(
    report: Report, wanted: Wanted, pin: EnteredPin, found: Sequence[TokenInfo], spec: KeySpec
) -> TokenInfo | None:
    """Return the token when every step on it was green."""
    step = "Find the token"
    try:
        token = choose(found, wanted)
        report.add(Line(step, Light.OK, f"{token.label}, serial {token.serial}, slot {token.slot_id}"))
        for flag in WORTH_A_WARNING:
            if flag in token.flags:
                report.add(Line("Look at the token's PIN counter", Light.WARN, f"The token says: {flag.value}."))
        step = "Log in with the PIN, once"
        with bindings.logged_in(token, pin) as device:
            report.add(Line(step, Light.OK, f"The token accepted the PIN in {pin.source}."))
            step = "Test what the token can do"
            return token if _exercise(report, device, token, spec) else None
    except (ConsoleError, DeviceError) as error:
        report.add(Line.failed(step, error))
        return None


def _exercise(report: Report, device: Device, token: TokenInfo, spec: KeySpec) -> bool:
    """Make a key that does not stay, sign, verify, destroy; keep the record of what the token can do.

    Return whether all of it worked.
    """
    if not isinstance(device, SelfTesting):
        raise DeviceError("This kind of token cannot be tested.", code="NOT_TESTABLE")
    results = device.self_test((spec,))
    advertised = device.capabilities()
    for result in results:
        light = Light.OK if result.ok else Light.BAD
        report.add(Line(result.name, light, result.detail, result.code, result.next_step))
    identity: dict[str, Any] = {
        "server": current(),
        "module_path": token.module,
        "label": token.label,
        "serial": token.serial,
    }
    record: dict[str, Any] = {
        "mechanisms": sorted(advertised.mechanisms),
        "specs": sorted(advertised.specs),
        "schemes": sorted(advertised.schemes),
        "self_test": [asdict(result) for result in results],
        "checked_at": clock.now(),
    }
    TokenCapability.objects.update_or_create(**identity, defaults=record)
    return all(result.ok for result in results)


def _add_outlook(report: Report, key: str, *, used: bool, token: TokenInfo | None) -> None:
    """Say what the next key operation would do (AMB-28)."""
    name, word = "What the next key will do", KEY_WORDS[key]
    if not used:
        spare = " The token is ready for it." if token else ""
        text = f"Keys.{key}.UseHSM is not 1: the next {word} key is made in the key store of this server.{spare}"
        report.add(Line(name, Light.IDLE, text))
    elif token:
        report.add(Line(name, Light.OK, f"The next {word} key is made on token {token.label}, and stays there."))
    else:
        text = f"The next {word} key cannot be made. Nothing is made in the key store of this server instead."
        report.add(Line(name, Light.BAD, text, "", "Resolve the lines above, then check again."))
