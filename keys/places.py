"""Where the next key would be made, as the settings read: for a page, without touching a token."""

from dataclasses import dataclass

from keys.purposes import PURPOSES, Purpose
from settings_store import values


@dataclass(frozen=True)
class Place:
    """`problem` says which setting is missing, so that the page can say it before the attempt fails."""

    text: str
    on_token: bool
    problem: str = ""


def of_next(purpose: Purpose) -> Place:
    """Return where a new key of that purpose would be made now."""
    key = PURPOSES[purpose].settings_key
    if key is None or not values.flag(f"Keys.{key}.UseHSM"):
        return Place("pki.db of this server", on_token=False)
    label, slot_id = values.text(f"Keys.{key}.HSMTokenName"), values.text(f"Keys.{key}.HSMTokenID")
    if values.text("HSMModulePath") is None:
        return Place("an HSM token", on_token=True, problem="HSMModulePath is not set.")
    if label is None and slot_id is None:
        problem = f"Neither Keys.{key}.HSMTokenName nor Keys.{key}.HSMTokenID is set."
        return Place("an HSM token", on_token=True, problem=problem)
    return Place(f"the HSM token {label}" if label else f"the HSM token in slot {slot_id}", on_token=True)
