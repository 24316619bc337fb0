"""What the settings store raises."""

from console.lib.errors import ConflictError, InvalidError, RefusedError


class NearMissError(InvalidError):
    """The name is unknown, and close to one that is known: `suggestion`. Nothing was stored."""

    def __init__(self, name: str, suggestion: str) -> None:
        super().__init__(
            f"Nothing reads a setting named “{name}”. Did you mean {suggestion}?", field="name", code="near-miss"
        )
        self.suggestion = suggestion


class ChangedMeanwhileError(ConflictError):
    """Somebody else saved the setting after this form was opened; `current` is what it shows now."""

    def __init__(self, name: str, current: str, changed_by: str) -> None:
        by = f" by {changed_by}" if changed_by else ""
        super().__init__(
            f"{name} was changed{by} while this form was open. Your value was not saved.",
            next_step="Compare the two values, then save again to replace the other one.",
        )
        self.current = current


class PreSetError(RefusedError):
    """A setting that is part of the console cannot be deleted."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"{', '.join(names)}: part of the console, so it cannot be deleted. Nothing was deleted.",
            next_step="Reset it to its default instead.",
        )
