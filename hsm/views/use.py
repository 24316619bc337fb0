"""Use key: ask for it, and see what came of it. The device is called by the worker."""

import base64
import binascii
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import user_of
from console.accounts.models import User
from console.jobs.models import State
from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import InvalidError, RefusedError
from console.lib.secret import Secret
from hsm.device.objects import Operation
from hsm.models.objects import KeyUse, SecurityObject
from hsm.rights import Right, object_for
from hsm.use import asking, enclosure
from hsm.use.forms import UseForm
from hsm.use.offers import Offer, offers
from hsm.use.schemes import label_of
from hsm.use.showing import shown

COOKIE = "keystead-key-use"


@sensitive_post_parameters("content", "signature")
@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.SIGNED_IN)
def use(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask what is to be done with which data; then go to the page of the result."""
    user = user_of(request)
    key = object_for(user, object_id, Right.USE)
    offered = offers(key)
    chosen = _chosen(offered, request.GET.get("operation", ""))
    if chosen is None:
        raise RefusedError(f"The console does not use keys of this kind ({key.key_type}). Nothing was done.")
    form = UseForm(key, chosen.operation, request)
    if request.method == "POST" and form.is_valid():
        try:
            row, answer_key = asking.request(key, form.wanted, actor=user.actor)
        except InvalidError as error:
            form.add_error(error.field or None, error.message)
        else:
            return _to_result(key, row, answer_key)
    context = {"key": key, "group": key.group, "offers": offered, "chosen": chosen, "form": form}
    return render(request, "hsm/use/use.html", context, status=422 if form.is_bound else 200)


def _chosen(offered: list[Offer], name: str) -> Offer | None:
    """Return the operation of this name; without one the first that may be done, else the first."""
    for offer in offered:
        if offer.operation.value == name:
            return offer
    return next((offer for offer in offered if not offer.reason), offered[0] if offered else None)


def _to_result(key: SecurityObject, row: KeyUse, answer_key: Secret) -> HttpResponse:
    """Go to the result, and give this browser the one key that opens it, for that page only."""
    path = reverse("hsm:object-use-result", args=[key.pk, row.pk])
    response = redirect(path)
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(answer_key.reveal_bytes()).decode(),
        max_age=asking.KEPT,
        path=path,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Strict",
    )
    return response


@require_GET
@access(Capability.SIGNED_IN)
def result(request: HttpRequest, object_id: UUID, use_id: UUID) -> HttpResponse:
    """Show what came of it, to the user and browser that asked, for ten minutes."""
    user = user_of(request)
    key = object_for(user, object_id, Right.USE)
    row = _row(key, use_id, user, clock.now())
    context: dict[str, Any] = {"key": key, "group": key.group, "use": row}
    if row is None:
        return render(request, "hsm/use/result.html", context, status=HTTPStatus.GONE)
    context |= {"job": row.job, "operation": Operation(row.operation), "scheme": label_of(row.scheme)}
    if row.job.state == State.SUCCEEDED:
        context["answer"] = _answer(request, row)
    template = "hsm/use/result.html#region" if htmx.wants_fragment(request) else "hsm/use/result.html"
    return render(request, template, context)


def _row(key: SecurityObject, use_id: UUID, user: User, now: datetime) -> KeyUse | None:
    mine = KeyUse.objects.filter(object=key, job__actor_id=str(user.pk), expires_at__gt=now)
    return mine.select_related("job__server").filter(pk=use_id).first()


def _answer(request: HttpRequest, row: KeyUse) -> Any:
    """Return the answer as the page shows it; None when this browser does not hold its key."""
    try:
        answer_key = Secret(base64.urlsafe_b64decode(request.COOKIES.get(COOKIE, "")))
    except (ValueError, binascii.Error):
        return None
    answer = enclosure.disclose(bytes(row.enclosed_output or b""), answer_key, row_id=str(row.pk))
    return shown(answer, Operation(row.operation)) if answer else None
