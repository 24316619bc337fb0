"""The parts of a sync report, in words."""

from dataclasses import dataclass
from typing import Any

PARTS = {
    "added": ("ok", "plus", "New keys", "They were not known here and are virtual keys now."),
    "changed": ("info", "status-change", "Changed in the HSM", "Permissions of the virtual keys stay as they are."),
    "moved": ("info", "arrow-narrow-right", "With a new CKA_ID", "Found again by their public value."),
    "back": ("ok", "arrow-back-up", "Back in the HSM", "They were missing before."),
    "missing": ("warn", "alert-triangle", "Missing in the HSM", "Their virtual keys stay, marked as missing."),
    "still_missing": ("warn", "alert-triangle", "Still missing in the HSM", "Known from earlier syncs."),
    "skipped": (
        "mute",
        "player-skip-forward",
        "Skipped",
        "Their virtual keys were deleted; they can be imported again.",
    ),
    "outside": (
        "mute",
        "filter",
        "Left alone by the Key Scan",
        "Made without this group, where it wants only its own keys; and keys of the console itself.",
    ),
    "unmatched": ("warn", "help-circle", "Not usable as keys", "Objects in the slot that no virtual key can point to."),
    "left": ("mute", "hourglass", "Left to the next sync", "Somebody worked on them while the HSM was read."),
}


@dataclass(frozen=True)
class Part:
    """One part that has something to tell; `rest` is how many lines were not kept."""

    name: str
    look: str
    icon: str
    title: str
    text: str
    count: int
    lines: list[dict[str, str]]

    @property
    def rest(self) -> int:
        """How many lines are not shown."""
        return self.count - len(self.lines)


def parts(result: dict[str, Any]) -> list[Part]:
    """Return what a report tells, without its empty parts."""
    counts = result.get("counts", {})
    return [Part(name, *shown, counts[name], result[name]) for name, shown in PARTS.items() if counts.get(name)]
