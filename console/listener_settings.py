"""Django's settings for the listeners: machines only, so no session, no template, no middleware of pages."""

from console import env
from console.settings import *  # noqa: F403
from console.settings import DATABASES, INSTALLED_APPS, LOGGING

ROOT_URLCONF = env.text("KEYSTEAD_LISTENER_URLS", "console.listener_urls")
WSGI_APPLICATION = "console.listener_wsgi.application"
INSTALLED_APPS = [
    "console.listener_apps.ModelsOfSignIn" if name == "allauth.account" else name for name in INSTALLED_APPS
]
MIDDLEWARE = ["trust.listening.middleware.AnswersMiddleware"]
TEMPLATES = []
# A client says the name it knows the server by; nothing that is answered is made of it.
ALLOWED_HOSTS = ["*"]
APPEND_SLASH = False
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
# Requests are many and short: a connection for each would cost more than the request.
DATABASES["default"]["CONN_MAX_AGE"] = 60
# A question before each request would cost as much as many of them: one that meets a dead connection is told to come
# again (503), and the next has a new one.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # libpq waits as long as the kernel does for a host that says nothing: minutes, while every thread waits with it.
    waits = {"connect_timeout": "3", "tcp_user_timeout": "10000"}
    DATABASES["default"]["OPTIONS"] = waits | DATABASES["default"]["OPTIONS"]
# A refusal stands in the PKI log, once; Django would write a line for each.
LOGGING["loggers"]["django.request"] = {"handlers": [], "level": "ERROR", "propagate": True}
