"""The frame of the product: one project, its apps, what it is built on, and a database that follows the models."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

from console.env import BASE_DIR

CODE = ("console", "settings_store", "hsm", "keys", "trust")


def imported(*folders: str) -> set[str]:
    """Return the top-level names that the Python files below these folders import."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (BASE_DIR / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("label", CODE)
def test_each_app_is_installed_with_models_views_and_tests(label: str) -> None:  # STK-01
    assert apps.is_installed(label) or any(app.name.startswith(f"{label}.") for app in apps.get_app_configs())
    folder = BASE_DIR / label
    for name in ("models", "views"):
        assert [*folder.rglob(f"{name}.py"), *folder.rglob(f"{name}/__init__.py")], name
    assert list((BASE_DIR / "tests" / label).rglob("test_*.py"))


def test_each_library_is_used() -> None:  # STK-02
    used = imported(*CODE)
    assert {"django", "pkcs11", "cryptography", "celery"} <= used
    assert "django_htmx" in settings.INSTALLED_APPS
    assert "django_htmx.middleware.HtmxMiddleware" in settings.MIDDLEWARE
    assert "celery[redis]" in (BASE_DIR / "requirements.in").read_text(encoding="utf-8")  # the broker's protocol
    assert "pytest_django" in imported("tests")


def test_templates_ask_for_fragments() -> None:  # STK-02
    pages = [path.read_text(encoding="utf-8") for path in Path(BASE_DIR / "templates").rglob("*.html")]
    assert sum("hx-get" in page or "hx-post" in page for page in pages) > 10


@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:  # STK-03: an empty database became this one
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    for name in ("settings_store.Setting", "keys.Root", "keys.Subordinate", "activity.Entry", "jobs.Job"):
        assert apps.get_model(name)._meta.managed
