"""What each port does with a new connection: TLS with or without client certificates, or nothing at all.

Files that were renewed are taken up by the next handshake. While they are broken, half written for instance, the
former certificate stays in use.
"""

import logging
import socket
import ssl
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hsm.gateway.certificate import context_of, open_p12
from hsm.gateway.config import Config, ConfigError
from serving.patience import PatientSocket, PatientTlsSocket

log = logging.getLogger("keystead.gateway")


@dataclass(frozen=True)
class Ports:
    """The ports as they were bound."""

    api: int
    health_https: int
    health_http: int

    @property
    def health(self) -> tuple[int, int]:
        """Both ports that answer /health."""
        return self.health_https, self.health_http


class Doors:
    """Has the one method of an SSLContext that gunicorn calls, and looks at the port first."""

    def __init__(self, config: Config, ports: Ports) -> None:
        self._config = config
        self._ports = ports
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._contexts = self._load()

    def wrap_socket(self, sock: socket.socket, **options: Any) -> socket.socket:
        """Return the connection as the port wants it; its handshake is part of the first request."""
        port = sock.getsockname()[1]
        if port == self._ports.health_http:
            return PatientSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        return self._context(port).wrap_socket(sock, **options)

    def _context(self, port: int) -> ssl.SSLContext:
        with self._lock:
            seen = self._signature()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._contexts = self._load()
                    log.info("The certificate on the disk has changed; it is in use from now on.")
                except ConfigError as error:
                    log.error("The changed certificate is not used, the former one stays. %s", error)  # noqa: TRY400
            return self._contexts[port]

    def _load(self) -> dict[int, ssl.SSLContext]:
        identity = open_p12(self._config.cert_file, self._config.cert_password)
        if complaint := identity.complaint(datetime.now(UTC)):
            log.warning(complaint)
        if self._config.cert_file.stat().st_mode & stat.S_IRWXO:
            log.warning("CERT_FILE: others may read %s, and the private key in it.", self._config.cert_file)
        contexts = {
            self._ports.api: context_of(identity, self._config.ca_file),
            self._ports.health_https: context_of(identity, None),
        }
        for context in contexts.values():
            context.sslsocket_class = PatientTlsSocket
        return contexts

    def _signature(self) -> tuple[object, ...]:
        files = [self._config.cert_file, *([self._config.ca_file] if self._config.ca_file else [])]
        return tuple(_state_of(path) for path in files)


def _state_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
