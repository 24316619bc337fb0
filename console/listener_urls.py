"""The listener's URLs, with TLS: EST, registration, and whether it lives."""

from django.urls import include, path

from trust.listening import answers

urlpatterns = [
    path("health/live", answers.live),
    path("", include("trust.clients.est.urls")),
    path("", include("trust.clients.registration_urls")),
]
handler400, handler403, handler404, handler500 = answers.HANDLERS
