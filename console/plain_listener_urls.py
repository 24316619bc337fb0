"""The URLs of the listener without TLS: registration where a flag allows it, and whether it lives. Never enrolment."""

from django.urls import include, path

from trust.listening import answers

urlpatterns = [
    path("health/live", answers.live),
    path("", include("trust.clients.registration_plain_urls")),
]
handler400, handler403, handler404, handler500 = answers.HANDLERS
