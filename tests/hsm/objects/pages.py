"""The pages of security objects: how the tests ask for them and what they send."""

from typing import Any

from django.urls import reverse

from hsm.models.objects import SecurityObject

NEW = "/hsm/objects/new/"
HTMX = {"HX-Request": "true"}
AES: dict[str, Any] = {
    "name": "cipher",
    "how": "generate",
    "key_type": "aes",
    "shown_type": "aes",
    "spec": "aes-256",
    "operations": ["encrypt", "decrypt"],
}


def page(name: str, key: SecurityObject) -> str:
    return reverse(f"hsm:{name}", args=[key.pk])


def text_of(response: Any) -> str:
    return str(response.content.decode())
