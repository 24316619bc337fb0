"""Protocol 314, Client 7.2: it holds one public key and no certificate of its own (BND-02, TLS-25 to TLS-32).

By ReportingTLSMode it registers in clear (0), in TLS only (1), or in TLS as long as that works (2): after so many
failed attempts it registers in clear, and tries TLS again after a wait that doubles with each series of failures.
"""

from datetime import datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from trust import anchors
from trust.agent import exchange, registering, taking, timing
from trust.agent.attempts import attempt, disk_failed
from trust.agent.client import Client
from trust.agent.errors import AgentError, SetupError, UnreachableError
from trust.agent.pkilog import Level
from trust.agent.timing import Track
from trust.agent.transport import Request
from trust.wire import signatures
from trust.wire.errors import WireError

LEGACY_ROOT = Request("GET", "/v1/legacy-root")
OFF, REQUIRED, OPTIONAL = 0, 1, 2


def public_key(pem: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of keystead.pub; raises SetupError."""
    try:
        return load_pem_public_key(pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SetupError("This is not a public key in PEM.", code="bad-public-key") from error


class Legacy:
    """One track for registrations, and in mode 2 a moment from which on TLS is tried again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._registration = Track(client.clock())

    def due(self) -> datetime:
        """Return when there is something to do."""
        if self._client.setting("ReportingTLSMode") == OPTIONAL and self._client.state.tls_after:
            return min(self._registration.due, self._client.state.tls_after)
        return self._registration.due

    def work(self, now: datetime) -> None:
        """Do what is due."""
        state, track = self._client.state, self._registration
        try:
            self._work(now)
        except OSError as error:
            disk_failed(self._client, track, "registration", error)
            state.tls_after = max(state.tls_after, track.due) if state.tls_after else None

    def _work(self, now: datetime) -> None:
        mode = self._client.setting("ReportingTLSMode")
        if mode == OPTIONAL and self._is_tls_due(now) and self._series(now):
            return
        if now >= self._registration.due:
            in_tls = mode == REQUIRED
            attempt(self._client, self._registration, "registration", lambda: self._register(mode, in_tls=in_tls))

    def _is_tls_due(self, now: datetime) -> bool:
        state = self._client.state
        if state.tls_after is None:  # TLS works, as far as is known
            return now >= self._registration.due
        return now >= state.tls_after

    def _series(self, now: datetime) -> bool:
        """Try TLS as often as is set; on failure put the next series off and return False."""
        client, state = self._client, self._client.state
        attempts = client.setting("OptionalTLSMinAttemptCount")
        for number in range(1, attempts + 1):
            try:
                self._registration.succeeded(self._register(OPTIONAL, in_tls=True))
            except UnreachableError as error:
                said = f"attempt {number} of {attempts}: {error.message}"
                client.log.tls("tls-failed", state.name, said, Level.WARNING)
            except (AgentError, WireError) as error:  # TLS worked; the answer was no
                client.log.key("registration-refused", state.name, f"{error.code}: {error.message}", Level.WARNING)
                wait_s = getattr(error, "retry_after_s", None)
                self._registration.failed(client.clock(), client.jitter, wait_s)
                return True
            else:
                state.tls_failures, state.tls_after = 0, None
                client.save()
                return True
        self._put_off(now)
        return False

    def _put_off(self, now: datetime) -> None:
        client, state = self._client, self._client.state
        state.tls_failures += 1
        wait_s = timing.tls_retry_s(
            state.tls_failures,
            client.setting("OptionalTLSBackoffIntervalSeconds"),
            client.setting("OptionalTLSMaxBackoffSeconds"),
        )
        state.tls_after = now + timedelta(seconds=wait_s)
        client.save()
        client.log.tls("tls-put-off", state.name, f"without TLS; TLS again in {wait_s} s", Level.WARNING)

    def _register(self, mode: int, *, in_tls: bool) -> datetime:
        client = self._client
        at = exchange.legacy_door(client, (self._root(),)) if in_tls else exchange.plain_door(client)
        registered = registering.register(client, at, mode=mode)
        if in_tls:
            taking.take_settings_of_314(client, registered.documents)
        client.save()
        return timing.next_normal(client.clock(), registered.next_s, client.jitter)

    def _root(self) -> bytes:
        """Return the certificate of legacy-root: the only one that counts is that of the public key which is held."""
        client, state = self._client, self._client.state
        if state.roots:
            return next(iter(state.roots.values()))
        certificate = exchange.ask(client, exchange.legacy_door(client, ()), LEGACY_ROOT).body
        held = anchors.root_certificates((certificate,))
        if signatures.spki(signatures.certificate_of(certificate)) != state.public_key:
            raise UnreachableError("The server's legacy-root is not the key of keystead.pub.", code="foreign-root")
        state.roots = held
        client.save()
        client.log.key("root-added", next(iter(held)))
        return certificate
