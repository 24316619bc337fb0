"""gunicorn with this gateway's listeners, threads and application. One worker process holds all state."""

import errno
import logging
import os
import socket
from typing import Any

from gunicorn.app.base import BaseApplication

from hsm.device import opening
from hsm.device.breaker import Breaker
from hsm.device.pool import pool
from hsm.gateway.application import Application
from hsm.gateway.config import Config, ConfigError
from hsm.gateway.doors import Doors, Ports
from hsm.gateway.health import Health
from hsm.gateway.ledger import Ledger
from hsm.gateway.operations import Operations
from hsm.gateway.pins import Pins
from hsm.gateway.slots import Slots
from hsm.gateway.worker import GatewayWorker
from serving.process import keep_memory_private

log = logging.getLogger("keystead.gateway")

THREADS = 64
CONNECTIONS = 1000
KEEP_ALIVE_S = 60
STOP_S = 20
BACKLOG = 512
# The console has a circuit breaker for each connection. Here a short pause is enough to keep a failing module from
# being started over and over, and a device that is back is seen at once.
PAUSE_S = 1.0

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s [%(process)d] %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def bind(config: Config) -> tuple[list[socket.socket], Ports]:
    """Return the listening sockets in the order of Ports. Raises ConfigError."""
    wanted = (
        ("HMG_LISTEN_PORT", config.port),
        ("HMG_HEALTH_HTTPS_PORT", config.health_https_port),
        ("HMG_HEALTH_HTTP_PORT", config.health_http_port),
    )
    listeners = [_listener(config.address, name, port) for name, port in wanted]
    return listeners, Ports(*(listener.getsockname()[1] for listener in listeners))


def _listener(address: str, name: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG, dualstack_ipv6=address == "::")
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "only root may use ports below 1024",
            errno.EADDRNOTAVAIL: "this host has no such address (HMG_LISTEN_ADDRESS)",
        }
        reason = reasons.get(error.errno or 0, str(error.strerror))
        raise ConfigError(f"{name}: the gateway cannot listen on {address} port {port}: {reason}.") from error


class Gateway(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The daemon. `run()` returns when it was told to stop."""

    def __init__(
        self,
        config: Config,
        *,
        listeners: list[socket.socket],
        ports: Ports,
        doors: Doors,
        ledger: Ledger,
        slots: Slots,
    ) -> None:
        self._config = config
        self._bind = [f"fd://{listener.detach()}" for listener in listeners]
        self._ports = ports
        self._doors = doors
        self._ledger = ledger
        self._slots = slots
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what it serves, and how."""
        GatewayWorker.health_ports = self._ports.health
        settings = {
            "bind": self._bind,
            # Read by nobody: it makes gunicorn ask `ssl_context` for each connection.
            "certfile": str(self._config.cert_file),
            "ssl_context": lambda _config, _default: self._doors,
            "worker_class": GatewayWorker,
            "workers": 1,
            "threads": THREADS,
            "worker_connections": CONNECTIONS,
            "keepalive": KEEP_ALIVE_S,
            "graceful_timeout": STOP_S,
            "timeout": 60,
            "limit_request_line": 1024,
            "limit_request_fields": 50,
            "limit_request_field_size": 1022,
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108 - heartbeat files
            "proc_name": "keystead-hmg",
            "logconfig_dict": LOGGING,
            "post_fork": _start_alone,
            "post_worker_init": lambda _worker: self._say_serving(),
            "worker_exit": _end_hosts,
            "on_exit": lambda _server: log.info("Stopped"),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Return the application, in the worker process."""
        pins = Pins(self._config.module, self._ledger)
        return Application(
            slots=self._slots,
            pins=pins,
            health=Health(self._config.module, self._slots, pins),
            operations=Operations(is_open=self._config.is_open),
            health_ports=self._ports.health,
        )

    def _say_serving(self) -> None:
        log.info(
            "Serving %s on %s: port %d (HTTPS), health on %d (HTTPS) and %d (HTTP)",
            self._config.module,
            self._config.address,
            self._ports.api,
            self._ports.health_https,
            self._ports.health_http,
        )


def _start_alone(_server: object, _worker: object) -> None:
    """In the worker process: no core dump and no debugger, for PINs pass through its memory."""
    keep_memory_private()
    pool.breaker = Breaker(pause_s=lambda _failures: PAUSE_S)


def _end_hosts(_server: object, _worker: object) -> None:
    """End calls that are under way with their hosts, so that no thread holds the process up."""
    opening.close_all()
