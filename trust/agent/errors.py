"""What can go wrong between a client and its server. No message holds a secret: each goes into the client's log."""


class AgentError(Exception):
    """`message` is a sentence for the log, `code` a word."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class SetupError(AgentError):
    """The client cannot start: a wrong argument, a directory without a state, a file that does not hold."""


class UnreachableError(AgentError):
    """No answer. `connected`: somebody took the connection before it broke."""

    def __init__(self, message: str, *, code: str = "unreachable", connected: bool = False) -> None:
        super().__init__(message, code=code)
        self.connected = connected


class HandshakeError(UnreachableError):
    """TLS did not come about."""

    def __init__(self, message: str, *, code: str = "handshake") -> None:
        super().__init__(message, code=code, connected=True)


class ServerNotTrustedError(HandshakeError):
    """The server could not prove that it stands below a root that is held."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="server-not-trusted")


class CertificateRefusedError(HandshakeError):
    """The server does not take this client's certificate."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="certificate-refused")


class RefusedError(AgentError):
    """The server said no: an HTTP status, the server's reason, and when to come again (None: it did not say).

    `counter` comes with the code `replayed`: the highest one that the server knows.
    """

    def __init__(
        self, message: str, *, code: str, status: int, retry_after_s: int | None = None, counter: int = 0
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after_s = retry_after_s
        self.counter = counter
