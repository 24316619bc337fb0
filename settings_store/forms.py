"""Forms of Advanced Settings. What a value must be is decided in `parsing`, by the verbs of `store`."""

from typing import Any

from django import forms
from django.urls import reverse_lazy

from console.lib.secret import PROTECTED
from settings_store.catalogue import ENTRIES, Entry, Scope, ValueType, near_miss
from settings_store.models import NAME_LENGTH

PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
LONGEST = 8192  # longer than any value; `parsing` names the exact limit


class OpenField(forms.CharField):
    """Text that may be empty as far as the form goes: the store says what is missing, in one place."""

    def validate(self, value: Any) -> None:
        """Accept anything; `required` only keeps the label from saying “optional”."""


def value_field(value_type: str, entry: Entry | None = None, *, stored: bool = False) -> forms.CharField:
    """Return the field for a value; a Protected one is never sent back to the page."""
    common: dict[str, Any] = {"label": "Value", "strip": False, "max_length": LONGEST}
    if value_type == ValueType.PROTECTED:
        attributes = PLAIN | {"autocomplete": "new-password", "class": "mono", "id": "id_protected_value"}
        if stored:
            attributes["placeholder"] = PROTECTED
        return OpenField(widget=forms.PasswordInput(attrs=attributes), **common)
    attributes = PLAIN | {"class": "mono"}
    if value_type == ValueType.NUMERIC:
        attributes |= {"inputmode": "numeric", "class": "mono short"}
    if entry and entry.range_text:
        common["help_text"] = f"Allowed: {entry.range_text}."
    return OpenField(widget=forms.TextInput(attrs=attributes), **common)


# With the script, a name or a type that is chosen fetches the fields anew, with what is known about the setting.
# The value is never part of that request: the page keeps the field (hx-preserve) as long as its kind stays. Only the
# newest request counts: an older answer would take back what was chosen since.
ASK_ANEW = {
    "hx-get": reverse_lazy("settings_store:add"),
    "hx-trigger": "change",
    "hx-sync": "closest form:replace",
    "hx-target": "#setting-fields",
    "hx-swap": "outerHTML",
    "hx-include": "#id_scope, #id_name, #id_value_type",
    "hx-params": "scope,name,value_type",
}


class AddForm(forms.Form):
    """Setting Type, Platform Setting Name, Value Type, Value."""

    use_required_attribute = False

    scope = forms.ChoiceField(
        label="Setting Type",
        choices=[(Scope.LOCAL.value, Scope.LOCAL.value), (Scope.GLOBAL.value, Scope.GLOBAL.value)],
        help_text="Local belongs to this server. Global holds for every server of the deployment.",
        widget=forms.Select(attrs={"class": "short"}),
    )
    name = OpenField(
        label="Platform Setting Name",
        max_length=NAME_LENGTH,
        error_messages={"max_length": f"A name has at most {NAME_LENGTH} characters."},
        widget=forms.TextInput(attrs=PLAIN | ASK_ANEW | {"class": "mono", "list": "known-settings"}),
    )
    value_type = forms.ChoiceField(
        label="Value Type",
        choices=[(kind.value, kind.value) for kind in ValueType],
        help_text="A Protected value is sealed at once and never shown again.",
        widget=forms.Select(attrs=ASK_ANEW | {"class": "short"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = self.data if self.is_bound else self.initial
        name = str(source.get("name", "")).strip()
        self.entry = ENTRIES.get(name)
        # A PIN that was typed under the wrong type, or under a name that is slightly off, is not sent back either.
        meant = self.entry or ENTRIES.get(near_miss(name))
        is_secret = meant is not None and meant.value_type is ValueType.PROTECTED
        value_type = ValueType.PROTECTED if is_secret else str(source.get("value_type", ""))
        self.fields["value"] = value_field(value_type, self.entry)
        self.fields["value"].widget.attrs["hx-preserve"] = "true"


class EditForm(forms.Form):
    """The value of one setting; `seen` proves which version of the row the form showed."""

    use_required_attribute = False

    seen = forms.CharField(widget=forms.HiddenInput, max_length=60)

    def __init__(self, *args: Any, value_type: str, entry: Entry | None, stored: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_protected = value_type == ValueType.PROTECTED
        self.fields["value"] = value_field(value_type, entry, stored=stored and self.is_protected)

    @property
    def typed(self) -> str | None:
        """What was typed, or None when a Protected value was left as it is (SET-08)."""
        value: str = self.cleaned_data["value"]
        return None if self.is_protected and value in {"", PROTECTED} else value


class DeleteForm(forms.Form):
    """Confirms a deletion, and says what becomes of keys that live by the settings."""

    CONFIRMATION = "Forget"
    use_required_attribute = False

    bindings = forms.ChoiceField(
        label="Keys that stay on a token",
        required=False,
        choices=[("keep", "Keep"), ("forget", "Forget")],
        widget=forms.RadioSelect,
        initial="keep",
    )
    typed = OpenField(
        label=f"To forget these keys, type {CONFIRMATION}", max_length=20,
        widget=forms.TextInput(attrs=PLAIN | {"class": "short"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Forgetting has to be typed."""
        data = super().clean() or {}
        if data.get("bindings") == "forget" and data.get("typed", "").strip() != self.CONFIRMATION:
            self.add_error("typed", f"Type {self.CONFIRMATION}, or choose Keep. Nothing was deleted.")
        return data

    @property
    def forget(self) -> bool:
        """Whether the keys on tokens are given up."""
        return bool(self.cleaned_data.get("bindings") == "forget")
