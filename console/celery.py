"""The Celery application. The database row decides about retries, never the broker."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("keystead")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
