"""The web process's URLs."""

from pathlib import Path

from django.urls import URLPattern, URLResolver, include, path

INCLUDES = {
    "": "console.pages_urls",
    "account/": "console.accounts.allauth_urls",
    "jobs/": "console.jobs.urls",
    "activity/": "console.activity.urls",
    "pki-log/": "console.pkilog.urls",
    "users/": "console.accounts.urls",
    "settings/": "settings_store.urls",
    "hsm/": "hsm.urls",
    "keys/": "keys.urls",
}
urlpatterns: list[URLPattern | URLResolver] = [
    path(prefix, include(module)) for prefix, module in INCLUDES.items() if Path(module.replace('.', '/') + '.py').exists()
]
