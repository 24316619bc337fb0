"""The way of one keystead-init.dat: asked for, waited for, fetched once by the browser that asked."""

import base64
import binascii
import uuid
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from console.accounts.asking import user_of
from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.passive import passive
from console.lib.secret import Secret
from console.servers.current import current
from trust.infrastructure import files
from trust.infrastructure.forms import DownloadForm, SettingsDownloadForm
from trust.models.initfiles import InitFile, InitFileState
from trust.wire.initfile import FILE_NAME

COOKIE = "keystead_init_file"


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.MANAGE_CLIENTS, recent=True)
def download(request: HttpRequest) -> HttpResponse:
    """Ask how far the file's credential reaches, and have the file made."""
    with_settings = bool(request.GET.get("settings"))
    kind = SettingsDownloadForm if with_settings else DownloadForm
    form = kind(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        file, key = files.request(form.wanted, user_of(request))
        return _wait(request, file, key)
    part = "#form" if request.method == "POST" else "#dialog"
    template = (
        f"trust/infrastructure/download.html{part}"
        if htmx.wants_fragment(request)
        else "trust/infrastructure/download.html"
    )
    context = {"form": form, "with_settings": with_settings, "server": current()}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, template, context, status=status)


@require_safe
@access(Capability.MANAGE_CLIENTS)
def init_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Show how far the file is; as soon as it is ready, the page begins the download by itself."""
    return _page(request, files.find(file_id, user_of(request)))


@passive
@require_GET
@access(Capability.MANAGE_CLIENTS)
def init_file_state(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Show what may have changed: the page asks for it by itself. A file that became ready reloads the page."""
    file = files.find(file_id, user_of(request))
    if file.state == InitFileState.READY and "waited" in request.GET:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "trust/infrastructure/file.html#state", _context(request, file))


@require_GET
@access(Capability.MANAGE_CLIENTS)
def fetch(request: HttpRequest, file_id: uuid.UUID) -> HttpResponse:
    """Send the file, once, to the browser that asked for it."""
    user = user_of(request)
    content = files.fetch(files.find(file_id, user), _key(request), actor=user.actor)
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    response = HttpResponse(content, content_type="application/octet-stream", headers=headers)
    response.delete_cookie(COOKIE, path=_place(file_id), samesite="Strict")
    return response


def _wait(request: HttpRequest, file: InitFile, key: Secret | None) -> HttpResponse:
    url = _place(file.pk)
    response = htmx.go(request, url)
    if key is not None:
        value = base64.urlsafe_b64encode(key.reveal_bytes()).decode()
        # Sent back to the pages of this one file only, out of the reach of scripts and of other sites.
        response.set_cookie(
            COOKIE,
            value,
            max_age=int(files.LIFE.total_seconds()),
            path=url,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Strict",
        )
    return response


def _page(request: HttpRequest, file: InitFile) -> HttpResponse:
    context = _context(request, file)
    response = render(request, "trust/infrastructure/file.html", context)
    if context["may_fetch"]:
        response.headers["Refresh"] = f"0; url={reverse('trust:init-file-fetch', args=[file.pk])}"
    return response


def _context(request: HttpRequest, file: InitFile) -> dict[str, object]:
    now = clock.now()
    is_ready = file.state == InitFileState.READY and not file.is_over(now)
    return {
        "file": file,
        "credential": file.credential,
        "job": files.job_of(file),
        "waits": file.state == InitFileState.PREPARING and not file.is_over(now),
        "is_ready": is_ready,
        "may_fetch": is_ready and COOKIE in request.COOKIES,
        "why_not": files.why_not(file, now),
        "handed_out": file.state == InitFileState.HANDED_OUT,
    }


def _place(file_id: uuid.UUID) -> str:
    return reverse("trust:init-file", args=[file_id])


def _key(request: HttpRequest) -> bytes:
    """Return the private half that the browser keeps; empty when it has none."""
    try:
        return base64.b64decode(request.COOKIES.get(COOKIE, ""), altchars=b"-_", validate=True)
    except binascii.Error:
        return b""
