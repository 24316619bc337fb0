"""The web process: gunicorn's entry point."""

import os

from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

application = get_wsgi_application()
# Gunicorn forks after this: what is loaded now, the processes share, and no first visitor waits for it.
loaded = get_resolver().url_patterns, get_template("account/login.html")
