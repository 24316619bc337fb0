"""The web process's URLs."""

from django.urls import include, path

urlpatterns = [
    path("", include("console.pages_urls")),
    path("jobs/", include("console.jobs.urls")),
    path("activity/", include("console.activity.urls")),
    path("users/", include("console.accounts.urls")),
    path("settings/", include("settings_store.urls")),
    path("hsm/", include("hsm.urls")),
    path("keys/", include("keys.urls")),
]
handler400 = "console.errors.bad_request"
handler403 = "console.errors.forbidden"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
