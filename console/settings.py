"""Django's settings: one file for every process. What differs between hosts comes from the environment (`env`)."""

import secrets
from typing import Any

from console import env

STATE_DIR = env.state_dir()
SERVER_NAME = env.server_name()
SEALING_PUBLIC_FILE = env.state_path("KEYSTEAD_SEALING_PUBLIC_FILE", "secrets/sealing.pub")
SEALING_KEY_FILE = env.state_path("KEYSTEAD_SEALING_KEY_FILE", "secrets/sealing.key")
# The listener's own pair, and what the worker seals for it (docs/design.md §2).
LISTENER_PUBLIC_FILE = env.state_path("KEYSTEAD_LISTENER_PUBLIC_FILE", "secrets/listener.pub")
LISTENER_KEY_FILE = env.state_path("KEYSTEAD_LISTENER_KEY_FILE", "secrets/listener.key")
ISSUING_FILE = env.state_path("KEYSTEAD_ISSUING_FILE", "issuing/issuing.sealed")
PKI_DATABASE = env.state_path("KEYSTEAD_PKI_DB", "pki/pki.db")
LOG_DIR = env.state_path("KEYSTEAD_LOG_DIR", "Logs")
EXPORT_DIR = env.state_path("KEYSTEAD_EXPORT_DIR", "exports")
BACKUP_DIR = env.state_path("KEYSTEAD_BACKUP_DIR", "backups")

DEBUG = False
# A process without a key of its own (a check, a migration) gets one that dies with it; the web refuses to start so.
SECRET_KEY_IS_TEMPORARY = not env.secret("SECRET_KEY", "")
SECRET_KEY = env.secret("SECRET_KEY", "") or secrets.token_urlsafe(48)
# The public name of the console; the local default serves http://localhost only.
ORIGIN = env.text("KEYSTEAD_ORIGIN", "http://localhost:8000").rstrip("/")
HTTPS = ORIGIN.startswith("https://")
ALLOWED_HOSTS = [ORIGIN.split("://", 1)[1].split("/")[0].rsplit(":", 1)[0]]
CSRF_TRUSTED_ORIGINS = [ORIGIN]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "django_cotton.apps.SimpleAppConfig",
    "template_partials.apps.SimpleAppConfig",
    "console",
    "console.activity",
    "console.accounts",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "console.servers",
    "console.jobs",
    "settings_store",
    "hsm",
    "keys",
    "trust",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.middleware.HeadersMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "console.middleware.ErrorsMiddleware",
    "console.session_policy.SessionPolicyMiddleware",
    "console.middleware.AccessMiddleware",
]

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.BASE_DIR / "templates"],
        "OPTIONS": {
            # Components and partials need their loaders in this order: partials outside, then the cache, then cotton.
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.context_processors.shell",
            ],
            "builtins": [
                "django.templatetags.static",
                "django_cotton.templatetags.cotton",
                "template_partials.templatetags.partials",
                "console.templatetags.ui",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES: dict[str, Any] = {
    "default": env.database(env.secret("DATABASE_URL", f"sqlite:///{STATE_DIR / 'keystead.db'}"))
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Throttles and rate limits survive a restart.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "console_cache",
        # Large: made-up user names must not push the counters of real ones out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = env.state_path("KEYSTEAD_STATIC_ROOT", "static")
STATICFILES_DIRS = [env.BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
# Uploaded key files stay in memory.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("KEYSTEAD_BEHIND_PROXY", default=False) else None
)
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    # NIST SP 800-63B §5.1.1.2: length and known passwords count, composition rules do not.
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "display_name", "email")},
    },
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_ADAPTER = "console.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False  # the cookie ends with the browser, the session by `console.session_policy`
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_FORMS = {
    "login": "console.accounts.forms.SignInForm",
    "reauthenticate": "console.accounts.forms.ConfirmForm",
    "change_password": "console.accounts.forms.OwnPasswordForm",
}
# By address and by user name; counted in the database.
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "reauthenticate": "10/m/user"}
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if SECURE_PROXY_SSL_HEADER else 0
MFA_ADAPTER = "console.accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "console.accounts.factor_forms.CodeForm",
    "reauthenticate": "console.accounts.factor_forms.ConfirmCodeForm",
    "activate_totp": "console.accounts.factor_forms.NewAppForm",
    "add_webauthn": "console.accounts.factor_forms.NewKeyForm",
    "edit_webauthn": "console.accounts.factor_forms.KeyNameForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # there is no email
MFA_TOTP_ISSUER = "Keystead"
MFA_TOTP_TOLERANCE = 1

BROKER_URL = env.secret("BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = BROKER_URL
# Who has which job stands in its row. Kombu 5.7 ends the worker when the broker goes while it keeps a list of its own.
CELERY_BROKER_TRANSPORT_OPTIONS = {"ack_emulation": False}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_DEFAULT_QUEUE = f"server.{SERVER_NAME}"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = 2
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
TICK_SECONDS = 2
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "jobs.tick",
        "schedule": TICK_SECONDS,
        "options": {"expires": TICK_SECONDS, "ignore_result": True},
    }
}
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat-schedule")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "django.utils.log.ServerFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("KEYSTEAD_LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}
