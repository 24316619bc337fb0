"""The web process's URLs."""

from django.urls import include, path

urlpatterns = [
    path("", include("console.pages_urls")),
    path("account/", include("console.accounts.allauth_urls")),
    path("jobs/", include("console.jobs.urls")),
    path("activity/", include("console.activity.urls")),
    path("pki-log/", include("console.pkilog.urls")),
    path("users/", include("console.accounts.urls")),
    path("settings/", include("settings_store.urls")),
    path("hsm/", include("hsm.urls")),
    path("keys/", include("keys.urls")),
    path("", include("trust.urls")),
]
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
