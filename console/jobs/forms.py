"""Forms of the job pages."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet

from console.jobs import kinds
from console.jobs.models import Job, State
from console.lib.moment import MomentField


class JobFilter(forms.Form):
    """What the grid shows; every field may be empty."""

    kind = forms.ChoiceField(required=False)
    state = forms.ChoiceField(required=False, choices=[("", "Any state"), *State.choices])
    subject = forms.CharField(required=False, max_length=255)
    who = forms.CharField(required=False, max_length=150)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["kind"]
        choice.choices = [("", "Any kind"), *((kind.name, kind.label) for kind in kinds.every())]  # type: ignore[attr-defined]
        self.fields["subject"].widget.attrs |= {"placeholder": "Key, token, file …"}
        self.fields["who"].widget.attrs |= {"placeholder": "User name"}
        self.fields["subject"].label = "About"

    @property
    def in_use(self) -> bool:
        """Whether anything is filtered."""
        return self.is_valid() and any(self.cleaned_data.values())

    def narrow(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs that the filter lets through; a field that does not hold filters nothing."""
        if not self.is_valid():
            return jobs
        wanted = self.cleaned_data
        if wanted["kind"]:
            jobs = jobs.filter(kind_name=wanted["kind"])
        if wanted["state"]:
            jobs = jobs.filter(state=wanted["state"])
        if wanted["subject"]:
            jobs = jobs.filter(subject_label__icontains=wanted["subject"])
        if wanted["who"]:
            jobs = jobs.filter(actor_name__istartswith=wanted["who"])
        return jobs


class RescheduleForm(forms.Form):
    """A new time, in UTC."""

    due_at = MomentField(
        label="New date and time (UTC)",
        help_text="The job starts by itself within seconds after this time, also when nobody is signed in.",
    )

    def moment(self) -> datetime:
        """Return the time that was entered."""
        found: datetime = self.cleaned_data["due_at"]
        return found
