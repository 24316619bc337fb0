"""The filter of the page of all security objects."""

from collections.abc import Iterable
from typing import Any

from django import forms

from hsm.browsing.queries import OTHER, STATES, USABLE, Wanted
from hsm.device.base import KeySpec
from hsm.models.groups import Group
from hsm.objects.offer import words

LABELS = {
    USABLE: "Usable",
    "deactivated": "Deactivated",
    "rotated": "Rotated",
    "missing": "Missing in HSM",
    "out_of_step": "Out of step",
    "unsettled": "Being made, deleted or failed",
}


class ObjectFilter(forms.Form):
    """What the table shows; every field may be empty."""

    q = forms.CharField(label="Name, CKA_LABEL, CKA_ID or fingerprint begins with", required=False, max_length=255)
    group = forms.ChoiceField(required=False)
    spec = forms.ChoiceField(
        label="Type",
        required=False,
        choices=[("", "Any type"), *((one.value, words(one)) for one in KeySpec), (OTHER, "Other")],
    )
    state = forms.ChoiceField(required=False, choices=[("", "Any state"), *((one, LABELS[one]) for one in STATES)])

    def __init__(self, groups: Iterable[Group], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["group"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "Any group"), *((str(one.pk), one.title) for one in groups)]

    @property
    def wanted(self) -> Wanted:
        """Return the filter; an empty one when a field does not hold."""
        return Wanted(**self.cleaned_data) if self.is_valid() else Wanted()
