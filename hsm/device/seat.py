"""The seat of one module host: a process that is started when it is needed and replaced when it fails."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from hsm.device import wire
from hsm.device.breaker import Breaker
from hsm.device.codes import error_for
from hsm.device.errors import DeviceError, ErrorClass
from hsm.device.process import HostGoneError, HostLateError, HostProcess, describe_exit, module_environment

LOADING = "Loading the PKCS#11 module failed."
# What comes before the work. That it works says nothing: a token may accept every login and fail at every signature.
PREPARING = (wire.Load, wire.Reset, wire.Login)


@dataclass(frozen=True)
class HostKey:
    """What a host is kept for; without a token it only lists tokens."""

    module: str
    environment: tuple[tuple[str, str], ...]
    serial: str = ""
    label: str = ""
    pin_version: str = ""

    @property
    def watched(self) -> tuple[str, str, str]:
        """What the circuit breaker watches: the token, whatever its PIN."""
        return (self.module, self.serial, self.label)


def listing_key(module: str, environment: Mapping[str, str] | None) -> HostKey:
    """Return the key of the host that lists the tokens of a module."""
    return HostKey(module, tuple(sorted(module_environment(environment).items())))


class Seat:
    """Held by one thread at a time, by `lock`; `depth` counts how often that thread holds it."""

    def __init__(self, key: HostKey, breaker: Breaker) -> None:
        self.key = key
        self.lock = threading.RLock()
        self.depth = 0
        self.loaded: wire.Loaded | None = None
        self.logged_in: wire.TokenPart | None = None
        self.login_time = 0.0  # of time.monotonic()
        self.listed = (b"", "")  # of the last listing: the host's mark of it, and its digest
        self._breaker = breaker
        self._host: HostProcess | None = None

    @property
    def running(self) -> bool:
        """Say whether a host with its module loaded sits here."""
        return self.loaded is not None and self._host is not None and self._host.alive

    @property
    def pid(self) -> int | None:
        """The process id of the host."""
        return self._host.pid if self._host is not None else None

    def call(self, request: wire.Request, deadline_s: float, *, context: str = "") -> wire.Reply:
        """Ask the host, starting it when needed. Raises DeviceError, and counts for the circuit breaker.

        After a deadline or a crash, the outcome of making a key that stays is unknown; the error says so.
        """
        with self._counted(context):
            reply = self._ask(self._started(deadline_s), request, deadline_s, context=context)
        if not isinstance(request, PREPARING):
            self._breaker.worked(self.key.watched)
        return reply

    def start(self, deadline_s: float) -> None:
        """Have a host with its module loaded. Raises DeviceError."""
        with self._counted(LOADING):
            self._started(deadline_s)

    def reset(self, deadline_s: float) -> None:
        """Have the module initialised anew, without a login; a host that cannot is replaced by the next call."""
        self.logged_in = None
        if self.running:
            try:
                self.call(wire.Reset(), deadline_s)
            except DeviceError:
                self.drop()

    def next_part(self, deadline_s: float, *, context: str) -> wire.Reply:
        """Return the next part of a listing."""
        if self._host is None:
            raise error_for("LISTING_PARTIAL", context=context)
        return self._ask(self._host, None, deadline_s, context=context)

    def drop(self) -> None:
        """End the process; the next call starts another."""
        host, self._host, self.loaded, self.logged_in = self._host, None, None, None
        if host is not None:
            host.kill()

    def abandon(self) -> None:
        """Forget the process without ending it: it belongs to the parent that forked us."""
        host, self._host, self.loaded, self.logged_in = self._host, None, None, None
        if host is not None:
            host.abandon()

    def _started(self, deadline_s: float) -> HostProcess:
        if self.running and self._host is not None:
            return self._host
        self.drop()
        try:
            host = self._host = HostProcess(dict(self.key.environment))
            host.wait_ready()
        except (OSError, HostGoneError, HostLateError) as error:
            self.drop()
            raise error_for("HOST_NOT_STARTED") from error
        reply = self._ask(host, wire.Load(self.key.module), deadline_s, context=LOADING)
        if not isinstance(reply, wire.Loaded):
            self.drop()
            raise error_for("HOST_PROTOCOL", context=LOADING)
        self.loaded = reply
        return host

    def _ask(self, host: HostProcess, request: wire.Request | None, deadline_s: float, *, context: str) -> wire.Reply:
        unknown = request is not None and wire.may_have_changed(request)
        try:
            reply = host.more(deadline_s) if request is None else host.call(request, deadline_s)
        except HostLateError:
            self.drop()
            raise error_for("DEADLINE", context=context, outcome_unknown=unknown) from None
        except HostGoneError as gone:
            self.drop()
            code = "MODULE_CRASHED_ON_LOAD" if isinstance(request, wire.Load) else "MODULE_CRASHED"
            detail = describe_exit(gone.exit_code)
            raise error_for(code, detail=detail, context=context, outcome_unknown=unknown) from None
        except BaseException:
            # A signal or a time limit in the middle of a call: the answer would be taken for that of the next one.
            self.drop()
            raise
        if isinstance(reply, wire.Failed):
            error = error_for(reply.code, detail=reply.detail, context=context, outcome_unknown=reply.outcome_unknown)
            if isinstance(request, wire.Load) or error.error_class is ErrorClass.DEVICE:
                self.drop()
            raise error
        return reply

    @contextmanager
    def _counted(self, context: str) -> Iterator[None]:
        """Refuse while the circuit breaker is open, and tell it when the device fails."""
        if (wait_s := self._breaker.wait_s(self.key.watched)) > 0:
            raise error_for("BREAKER_OPEN", context=context, detail=f"The next try is possible in {wait_s:.0f} s.")
        try:
            yield
        except DeviceError as error:
            if error.error_class is ErrorClass.DEVICE:
                self._breaker.failed(self.key.watched)
            raise
