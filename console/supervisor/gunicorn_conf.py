"""Gunicorn's settings, for ./run and for deploy/: loopback in clear, anything else with TLS only."""

import ipaddress
import os

from console.supervisor.ports import loopback_addresses


def bind_addresses() -> list[str]:
    """Return KEYSTEAD_BIND (addresses with commas between), else KEYSTEAD_PORT on the loopback addresses."""
    named = os.environ.get("KEYSTEAD_BIND")
    if named:
        return [address.strip() for address in named.split(",")]
    port = os.environ.get("KEYSTEAD_PORT", "8000")
    return [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in loopback_addresses()]


def is_local(address: str) -> bool:
    """Return whether only this machine can reach the address: a Unix socket, or a literal loopback address."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]") if ":" in address else address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_in_clear(addresses: list[str], *, has_tls: bool) -> None:
    """Stop the start when passwords and session cookies would cross a network in clear."""
    public = [address for address in addresses if not is_local(address)]
    if public and not has_tls:
        raise SystemExit(
            f"Keystead does not serve {', '.join(public)} without TLS. Set KEYSTEAD_TLS_CERTIFICATE and "
            "KEYSTEAD_TLS_KEY, or bind a loopback address and put a proxy with TLS in front of it."
        )


bind = bind_addresses()
certfile = os.environ.get("KEYSTEAD_TLS_CERTIFICATE")
keyfile = os.environ.get("KEYSTEAD_TLS_KEY")
refuse_in_clear(bind, has_tls=bool(certfile and keyfile))

worker_class = "gthread"
workers = int(os.environ.get("KEYSTEAD_WEB_PROCESSES", "2"))
threads = 4
# Each is an open file, of which a process may usually have 1,024: one too many would end it.
worker_connections = 500
# One import of Django instead of one for each process; no connection is opened before the fork.
preload_app = True
# Without it gunicorn opens a socket in the home folder, through which it can be commanded.
control_socket_disable = True
graceful_timeout = 5
timeout = 60
max_requests = 10_000
max_requests_jitter = 1_000
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn's heartbeat files, made safely by it
accesslog = None
errorlog = "-"
