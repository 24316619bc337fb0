"""The form of a question."""

from datetime import timedelta

from django import forms

from console.lib import durations
from trust.models.questions import QuestionKind
from trust.questions.asking import MINUTES, OPEN_FOR


class AskForm(forms.Form):
    """What is asked, and for how long clients may answer."""

    kind = forms.ChoiceField(
        label="Ask for",
        choices=QuestionKind.choices,
        initial=QuestionKind.COMPUTER_NAME,
        widget=forms.RadioSelect,
    )
    minutes = forms.TypedChoiceField(
        label="Open for",
        coerce=int,
        choices=[(minutes, durations.whole(minutes * 60)) for minutes in MINUTES],
        initial=int(OPEN_FOR.total_seconds() / 60),
        help_text="A client is asked at its next registration, within 30 to 90 seconds while it is connected.",
    )

    @property
    def open_for(self) -> timedelta:
        """How long the question is open; for a valid form."""
        return timedelta(minutes=self.cleaned_data["minutes"])
