"""Forms of the group pages."""

from typing import Any

from django import forms

from console.lib.plainname import PlainNameField
from hsm.connections.forms import ConnectionFields, DraftField, TrustFields
from hsm.groups.creation import HsmEntry
from hsm.models.groups import HsmType, Policy, Scan

TITLE_LENGTH = 120


class GroupFields(forms.Form):
    """Title and description."""

    title = PlainNameField(
        label="Title",
        max_length=TITLE_LENGTH,
        error_messages={"required": "Enter a title."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(
        label="Description", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class HsmTypeField(forms.Form):
    """The drop-down HSM Type (GRP-04)."""

    hsm_type = forms.ChoiceField(label="HSM Type", choices=HsmType.choices, initial=HsmType.NCIPHER)


class NewGroupForm(GroupFields, HsmTypeField, ConnectionFields, TrustFields, DraftField):
    """Add new group. `linked` says that LINK HSM/EXTERNAL KMS was pressed; without it there is no HSM part."""

    linked = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, linked: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_linked = linked
        if not linked:
            for name in list(self.fields):
                if name not in ("title", "description", "linked"):
                    del self.fields[name]

    def clean(self) -> dict[str, Any]:
        """Look at the certificates only where there is a gateway."""
        return super().clean() if self.is_linked else self.cleaned_data

    def hsm_entry(self) -> HsmEntry | None:
        """Return the HSM part, or None for a software group."""
        if not self.is_linked:
            return None
        return HsmEntry(self.cleaned_data["hsm_type"], self.entered(), self.trust_entry())


class EditGroupForm(GroupFields):
    """Edit group; `hsm_type` only where there is an HSM."""

    seen = forms.CharField(max_length=16, widget=forms.HiddenInput)
    hsm_type = forms.ChoiceField(label="HSM Type", choices=HsmType.choices)

    def __init__(self, *args: Any, has_hsm: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_hsm:
            del self.fields["hsm_type"]


class PolicyForm(forms.Form):
    """EDIT POLICY."""

    seen = forms.CharField(max_length=12, widget=forms.HiddenInput)
    choice = forms.ChoiceField(label="Key Management Policy", choices=Policy.choices, widget=forms.RadioSelect)


class ScanForm(forms.Form):
    """Key Scan."""

    seen = forms.CharField(max_length=12, widget=forms.HiddenInput)
    choice = forms.ChoiceField(label="Key Scan", choices=Scan.choices, widget=forms.RadioSelect)
