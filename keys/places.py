"""Where the next key would be made, as the settings read: for a page, without touching a token."""

from dataclasses import dataclass

from settings_store import values


@dataclass(frozen=True)
class Place:
    """`problem` says which setting is missing, so that the page can say it before the attempt fails."""

    text: str
    on_token: bool
    problem: str = ""


def of_next_root() -> Place:
    """Return where Create New Key would make the root key now."""
    if not values.flag("Keys.Root.UseHSM"):
        return Place("pki.db of this server", on_token=False)
    label, slot_id = values.text("Keys.Root.HSMTokenName"), values.text("Keys.Root.HSMTokenID")
    if values.text("HSMModulePath") is None:
        return Place("an HSM token", on_token=True, problem="HSMModulePath is not set.")
    if label is None and slot_id is None:
        problem = "Neither Keys.Root.HSMTokenName nor Keys.Root.HSMTokenID is set."
        return Place("an HSM token", on_token=True, problem=problem)
    return Place(f"the HSM token {label}" if label else f"the HSM token in slot {slot_id}", on_token=True)
