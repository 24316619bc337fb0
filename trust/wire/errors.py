"""What the wire formats raise."""


class WireError(Exception):
    """Bytes from the other side that do not hold. `code` is a word for logs, `message` a sentence without secrets."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
