"""Which server this process belongs to, and how its row comes to be."""

import re

from django.conf import settings
from django.db import transaction

from console.lib import clock
from console.lib.errors import ConflictError, InvalidError, UnavailableError
from console.lib.sealing import SealingPublic
from console.servers.models import Server

# RFC 1123 §2.1 host names; a single label is allowed for a machine without a domain.
FQDN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$")


def current() -> Server:
    """Return this server's row; raises UnavailableError before set-up has made it."""
    try:
        return Server.objects.get(fqdn=settings.SERVER_NAME)
    except Server.DoesNotExist as error:
        raise UnavailableError(
            f"This server, {settings.SERVER_NAME}, is not set up in the platform database.",
            next_step="Run manage.py setup on this host.",
        ) from error


def ensure(fqdn: str, public: SealingPublic) -> Server:
    """Return the row of a server, made on first call.

    Raises InvalidError for a name that is no host name, ConflictError when the row belongs to another sealing pair.
    """
    if not FQDN.match(fqdn):
        raise InvalidError(f"“{fqdn}” is not a host name. Set KEYSTEAD_SERVER_NAME to the server's name.")
    with transaction.atomic():
        server, _ = Server.objects.get_or_create(
            fqdn=fqdn, defaults={"sealing_public": public.raw.hex(), "created_at": clock.now()}
        )
    if server.sealing_public != public.raw.hex():
        raise ConflictError(
            f"The sealing key on this host is not the one that {fqdn} was set up with. Nothing was changed.",
            next_step="Restore secrets/sealing.key of this server, or restore the backup that belongs to it.",
        )
    return server


def sealing_public() -> SealingPublic:
    """Return the public half on this host, checked against the server's row."""
    public = SealingPublic.load(settings.SEALING_PUBLIC_FILE)
    if public.raw.hex() != current().sealing_public:
        raise UnavailableError(
            "The public sealing key on this host does not belong to this server. Nothing was stored.",
            next_step="Copy secrets/sealing.pub from the worker's host again.",
        )
    return public
