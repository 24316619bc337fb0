"""The form of a group's sync interval."""

from django import forms

from hsm.syncing.intervals import INTERVALS, NEVER, words


class IntervalForm(forms.Form):
    """How often; empty for never."""

    every = forms.ChoiceField(
        label="Sync keys by itself",
        required=False,
        choices=[("", NEVER.capitalize()), *((str(hours), text.capitalize()) for hours, text in INTERVALS.items())],
        help_text="Counted from the last sync. Only while this server runs.",
    )

    @property
    def hours(self) -> int | None:
        """Return the chosen interval."""
        chosen = self.cleaned_data["every"]
        return int(chosen) if chosen else None

    @property
    def words(self) -> str:
        """Return the chosen interval as text."""
        return words(self.hours)
