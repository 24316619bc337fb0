"""What the listener without TLS answers: registration, and the public half of legacy-root. Nothing is enrolled here."""

from django.urls import path

from trust.clients import registration_views as views

urlpatterns = [
    path("v1/registrations", views.registrations),
    path("v1/legacy-root", views.legacy_root),
]
