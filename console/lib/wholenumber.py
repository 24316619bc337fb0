"""A number in a form, refused in the console's words: what to enter, of what, and in which range."""

from typing import Any

from django import forms


class WholeNumberField(forms.IntegerField):
    """A whole number from `low` to `high`, both allowed; `unit` is what is counted, in the plural."""

    def __init__(self, *, unit: str, low: int, high: int, **options: Any) -> None:
        said = f"Enter a whole number of {unit}, from {low:,} to {high:,}."
        options["error_messages"] = dict.fromkeys(("required", "invalid", "min_value", "max_value"), said)
        options["widget"] = forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"})
        super().__init__(min_value=low, max_value=high, **options)
