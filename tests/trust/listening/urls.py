"""The listener's URLs, and one that tells what it knows of the peer: for tests."""

import json
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from console.listener_urls import handler400, handler403, handler404, handler500
from trust.listening.peer import peer

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def whoami(request: HttpRequest) -> HttpResponse:
    """Return the peer as JSON."""
    found = peer(request)
    certificate = sha256(found.certificate_der).hexdigest() if found.certificate_der else None
    return HttpResponse(json.dumps([certificate, found.address, found.is_tls]))


urlpatterns = [path("whoami", whoami), path("", include("console.listener_urls"))]
