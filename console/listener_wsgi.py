"""The listeners: gunicorn's entry point for machines (EST, registration). `console.wsgi` is the one for people."""

import os

from django.core.wsgi import get_wsgi_application

from trust.listening.gate import Gate

os.environ["DJANGO_SETTINGS_MODULE"] = "console.listener_settings"  # whatever the other processes are told

application = Gate(get_wsgi_application())
