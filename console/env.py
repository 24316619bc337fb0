"""Typed readers of the environment: the only place that reads os.environ for the console.

A secret may be given as a value (`NAME`) or as the path of a file that holds it (`NAME_FILE`); both at once,
or a file that cannot be read, stop the start.
"""

import os
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str | None = None) -> str:
    """Return the variable; without a default a missing one stops the start."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"Set the environment variable {name}.")
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return a variable that is 0 or 1."""
    value = os.environ.get(name, "1" if default else "0")
    if value not in {"0", "1"}:
        raise ImproperlyConfigured(f"{name} must be 0 or 1.")
    return value == "1"


def whole_number(name: str, default: int) -> int:
    """Return a variable that is a whole number of at least 0."""
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number.")
    return int(value)


def secret(name: str, default: str | None = None) -> str:
    """Return `NAME`, or the contents of the file that `NAME_FILE` points to, without its last line break."""
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value is not None and path is not None:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path is not None:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error
    if value is None and default is None:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE.")
    return value if value is not None else str(default)


def state_dir() -> Path:
    """Return the folder that holds this host's state (`var/` of a local run)."""
    return Path(text("KEYSTEAD_STATE_DIR", str(BASE_DIR / "var"))).resolve()


def state_path(name: str, relative: str) -> Path:
    """Return the path in the variable, or the named place below the state folder."""
    return Path(text(name, str(state_dir() / relative)))


def server_name() -> str:
    """Return the fully qualified name of this server, in lower case."""
    return text("KEYSTEAD_SERVER_NAME", socket.getfqdn()).strip().rstrip(".").lower()


def database(url: str) -> dict[str, object]:
    """Return Django's settings for `sqlite:///path` or `postgresql://user:password@host:port/name?sslmode=…`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path[1:]) if parts.path.startswith("//") else unquote(parts.path))
    if parts.scheme in {"postgresql", "postgres"}:
        options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(options.pop("host", parts.hostname or "")),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {key: unquote(value) for key, value in options.items()},
        }
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgresql://.")


def _sqlite(path: str) -> dict[str, object]:
    # IMMEDIATE: a write transaction waits for its turn instead of failing when it upgrades from a read.
    # FULL: the database must not forget the intention behind a key that a device has made.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
