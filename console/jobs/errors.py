"""What jobs raise."""

from console.lib.errors import RefusedError


class UnknownKindError(RefusedError):
    """A job of another version of the console."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This version of the console does not know the kind of work “{name}”. Nothing was changed.",
            next_step="Use the version that planned it: the job waits.",
        )
