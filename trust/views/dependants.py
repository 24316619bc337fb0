"""Who still needs a root: the clients by name, with when they were heard of, and why."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from keys import roots
from keys.errors import KeyNotFoundError
from keys.models.root import RevocationReason
from keys.readiness import Fate
from trust.clients import dependence
from trust.clients.witness import named

REASONS = {"": RevocationReason.POLICY, "compromised": RevocationReason.COMPROMISED}
FATES = {"": None, "disturbed": Fate.DISTURBED, "lost": Fate.LOST}


@require_safe
@access(Capability.READ)
def dependants(request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Show who would be disturbed or lost if a root were revoked now: as usual, or as compromised.

    Of one that is revoked, who still is: for the reason that it was revoked for, unless another is asked about.
    """
    root = roots.find(root_id)
    known, now = dependence.world(root.server), clock.now()
    if str(root.fingerprint) not in known.roots:
        raise KeyNotFoundError("No client can depend on this key: it is for Client 7.2, or was never in use.")
    given = "compromised" if root.revocation_reason == RevocationReason.COMPROMISED else ""
    chosen = {"reason": request.GET.get("reason", given), "fate": request.GET.get("fate", "")}
    reason, fate = REASONS.get(chosen["reason"], RevocationReason.POLICY), FATES.get(chosen["fate"])
    page = dependence.page(known, root, reason, now, fate=fate, cursor=request.GET.get("at", ""))
    context = {
        "root": root,
        "now": now,
        "newest": known.newest,
        "chosen": chosen,
        "page": page,
        "rows": named(page.rows, known, root, reason, now),
        "needs": dependence.needs(dependence.groups(now), known, root, reason, now),
    }
    template = "trust/clients/dependants.html"
    return render(request, f"{template}#grid" if htmx.wants_fragment(request) else template, context)
