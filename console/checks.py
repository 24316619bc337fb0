"""System checks: what would be unsafe is said at start, with an id to look up."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Warning_

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@register()
def origin(**_: Any) -> list[CheckMessage]:
    """Any other name than localhost needs TLS: WebAuthn and session cookies depend on it."""
    host = urlsplit(settings.ORIGIN).hostname or ""
    if settings.HTTPS or host == "localhost":
        return []
    return [
        Error(
            f"KEYSTEAD_ORIGIN is {settings.ORIGIN}: without TLS the console serves http://localhost only.",
            hint="Use https:// behind a proxy that ends TLS, or http://localhost:PORT.",
            id="console.E001",
        )
    ]


@register()
def database_encryption(**_: Any) -> list[CheckMessage]:
    """Warn of a database on another host that is reached without TLS (MIS-06)."""
    database = settings.DATABASES["default"]
    host = str(database.get("HOST", ""))
    remote = bool(host) and not host.startswith("/") and host not in LOOPBACK
    if remote and database["OPTIONS"].get("sslmode") not in {"require", "verify-ca", "verify-full"}:
        return [
            Warning_(
                f"The connection to the database on {host} is not encrypted.",
                hint="Add ?sslmode=verify-full to DATABASE_URL.",
                id="console.W001",
            )
        ]
    return []


@register(deploy=True)
def secret_key(**_: Any) -> list[CheckMessage]:
    """Refuse a temporary SECRET_KEY: it would sign everybody out at each start."""
    if settings.SECRET_KEY_IS_TEMPORARY:
        return [Error("SECRET_KEY is not set.", hint="Set SECRET_KEY or SECRET_KEY_FILE.", id="console.E002")]
    return []
