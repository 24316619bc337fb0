"""A form that asks for the exact name of what is about to go (docs/ui.md)."""

from typing import Any

from django import forms

NO_MATCH = "The name does not match. Type it exactly as shown, including capital letters and spaces."


class TypedNameForm(forms.Form):
    """Confirm by typing the exact name."""

    typed = forms.CharField(
        strip=False,
        error_messages={"required": NO_MATCH},
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["typed"].label = f"To confirm, type {name}"

    def clean_typed(self) -> str:
        """Accept the exact name only."""
        typed: str = self.cleaned_data["typed"]
        if typed != self.name:
            raise forms.ValidationError(NO_MATCH)
        return typed
