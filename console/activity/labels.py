"""What the actions of every app are called on a page: each app's `actions` module has a table LABELS."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps


@cache
def labels() -> dict[str, str]:
    """Return the label of every known action, by its name."""
    found: dict[str, str] = {}
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.actions"):
            table = getattr(import_module(f"{app.name}.actions"), "LABELS", {})
            found |= {str(name): label for name, label in table.items()}
    return found


def label(action: str) -> str:
    """Return an action's label, or its name when this version does not know it."""
    return labels().get(action, action)
