"""Forms of the activity log."""

from typing import Any

from django import forms

from console.activity import queries
from console.activity.labels import label, labels
from console.activity.models import Outcome
from console.activity.queries import Wanted
from console.lib.moment import MomentField
from console.servers.models import Server


class ActivityFilter(forms.Form):
    """What the grid shows; every field may be empty."""

    actor = forms.CharField(label="Who", required=False, max_length=150)
    action = forms.ChoiceField(required=False)
    subject = forms.CharField(required=False, max_length=255)
    outcome = forms.ChoiceField(required=False, choices=[("", "Any outcome"), *Outcome.choices])
    since = MomentField(label="From (UTC)", required=False)
    until = MomentField(label="To (UTC)", required=False)
    server = forms.ChoiceField(required=False)
    subject_kind = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    subject_id = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted({*queries.actions(), *labels()}, key=label)
        self._choose("action", [("", "Any action"), *((name, label(name)) for name in names)])
        servers = Server.objects.order_by("fqdn").values_list("fqdn", "fqdn")
        self._choose("server", [("", "Any server"), *servers])
        self.fields["actor"].widget.attrs |= {"list": "actors", "autocomplete": "off", "placeholder": "User name"}
        self.fields["subject"].widget.attrs |= {"placeholder": "Key, setting, user …", "data-filter": ""}
        self.actors = queries.actors()

    @property
    def wanted(self) -> Wanted:
        """Return the filter; an empty one when a field does not hold."""
        return Wanted(**self.cleaned_data) if self.is_valid() else Wanted()

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices
