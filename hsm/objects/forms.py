"""Forms of the pages of one security object."""

from typing import Any

from django import forms

from console.lib.plainname import PlainNameField
from hsm.device.objects import Operation, ordered
from hsm.models.objects import SecurityObject
from hsm.objects import permissions

OPERATION_LABELS = {
    Operation.ENCRYPT: "Encrypt",
    Operation.DECRYPT: "Decrypt",
    Operation.SIGN: "Sign",
    Operation.VERIFY: "Verify",
    Operation.WRAP: "Wrap key",
    Operation.UNWRAP: "Unwrap key",
    Operation.DERIVE: "Derive key",
}


def operation_choices(operations: Any) -> list[tuple[str, str]]:
    """Return the check boxes of operations, in their order."""
    return [(str(one), f"{OPERATION_LABELS[one]} ({one.attribute})") for one in ordered(operations)]


class PermissionsForm(forms.Form):
    """What the key may do."""

    operations = forms.MultipleChoiceField(
        label="Key operations permitted", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, key: SecurityObject, data: Any = None) -> None:
        super().__init__(data, initial={"operations": key.operations})
        field = self.fields["operations"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - declared so above
        field.choices = operation_choices(permissions.possible(key))

    @property
    def wanted(self) -> frozenset[Operation]:
        """What was ticked."""
        return frozenset(Operation(value) for value in self.cleaned_data["operations"])


class TagForm(forms.Form):
    """A custom attribute."""

    name = PlainNameField(label="Name", max_length=64)
    value = forms.CharField(label="Value", max_length=1024, required=False)
