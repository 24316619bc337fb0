"""A name that somebody types, in a form: refused with characters that nobody sees (`console.lib.unseen`)."""

from typing import Any

from django import forms

from console.lib.unseen import UNSEEN, spelt


class PlainNameField(forms.CharField):
    """A name that stands in sentences, tables and the log."""

    def clean(self, value: Any) -> str:
        """Return the name; what it holds unseen is spelt where it is refused."""
        name: str = super().clean(value)
        if UNSEEN.search(name):
            raise forms.ValidationError(
                f"It holds characters that are not seen: {spelt(name)}. Type it without them.", code="unseen"
            )
        return name
