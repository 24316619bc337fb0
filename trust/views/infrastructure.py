"""Administration > Configuration > Infrastructure: what new clients are given, and keystead.pub (BND-01 to BND-15)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from console.accounts.asking import actor_of
from console.lib import clock
from console.lib.access import access
from console.lib.capability import Capability
from console.navigation import may
from console.servers.current import current
from keys import roots
from trust.infrastructure import addresses, credentials, legacykey
from trust.models.credentials import Credential
from trust.wire.initfile import LEGACY_FILE_NAME

SHOWN = 5


@require_safe
@access(Capability.READ)
def infrastructure(request: HttpRequest) -> HttpResponse:
    """Show both files, who may have them, and the credentials that were downloaded last."""
    server, now = current(), clock.now()
    newest = Credential.objects.filter(server=server)[:SHOWN]
    context = {
        "server": server,
        "address": addresses.own(server),
        "root": roots.newest(server),
        "legacy_root": legacykey.find(server),
        "legacy_is_on": legacykey.is_enabled(),
        "legacy_flag": legacykey.FLAG,
        "setting_key": f"Global:{legacykey.FLAG}",
        "rows": [(row, credentials.state(row, now)) for row in newest],
        "may_manage": may(request, Capability.MANAGE_CLIENTS),
    }
    return render(request, "trust/infrastructure/page.html", context)


@require_POST
@access(Capability.MANAGE_CLIENTS)
def legacy_key(request: HttpRequest) -> HttpResponse:
    """Send keystead.pub; the activity log says who took it."""
    pem = legacykey.download(current(), actor=actor_of(request))
    headers = {"Content-Disposition": f'attachment; filename="{LEGACY_FILE_NAME}"'}
    return HttpResponse(pem, content_type="application/x-pem-file", headers=headers)
