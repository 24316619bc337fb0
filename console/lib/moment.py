"""A date and time in a form, in UTC, refused in the console's words: how to write it."""

from datetime import UTC, datetime
from typing import Any

from django import forms

FORMAT = "%Y-%m-%dT%H:%M"
SAID = "Enter a date and a time in UTC as YYYY-MM-DD hh:mm, for example 2026-11-21 22:40."


class MomentField(forms.DateTimeField):
    """A moment, as ISO 8601 writes it; without an offset it is UTC, without a time the begin of that day."""

    def __init__(self, **options: Any) -> None:
        options["error_messages"] = {"required": SAID, "invalid": SAID} | options.get("error_messages", {})
        options["widget"] = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=FORMAT)
        super().__init__(**options)

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment in UTC."""
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:  # the first or last day of all, with an offset
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error
