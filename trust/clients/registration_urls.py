"""URLs of the protocol's own requests on the listener with TLS (docs/client-protocol.md)."""

from django.urls import path

from trust.clients import registration_views as views

urlpatterns = [
    path("v1/registrations", views.registrations),
    path("v1/answers", views.answers),
    path("v1/legacy-root", views.legacy_root),
]
