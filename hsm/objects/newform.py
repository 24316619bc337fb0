"""The form Add New Security Object (SOB-13 to SOB-20).

What it offers follows from what is chosen. The script asks for it anew at each choice, without it a button does; both
send the form with `refresh`, which shows it again and checks nothing. The material is never sent back.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.urls import reverse_lazy

from console.accounts.models import User
from console.lib.capability import Capability
from console.lib.plainname import PlainNameField
from console.lib.secret import Secret
from hsm.device.base import KeySpec
from hsm.device.objects import Operation, ordered
from hsm.models.groups import Group, GroupKind, GroupRole
from hsm.models.objects import NAME_LENGTH
from hsm.objects.forms import operation_choices
from hsm.objects.generation import Wanted
from hsm.objects.offer import MOST_BYTES, TYPES, KeyType, Spelling
from hsm.rights import visible_groups
from settings_store.forms import OpenField

GENERATE, IMPORT = "generate", "import"
SECRETS = ("value", "value_file", "passphrase")
TOO_LARGE = f"The file is larger than {MOST_BYTES // 1024} KiB, which no key is. It was not read, nor kept."
PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
ASK_ANEW = {
    "hx-post": reverse_lazy("hsm:object-new"),
    "hx-trigger": "change",
    "hx-target": "#new-object-fields",
    "hx-swap": "outerHTML",
    "hx-params": f"not {','.join(SECRETS)}",
    "hx-vals": '{"refresh": "1"}',
}


class NewObjectForm(forms.Form):
    """Name, group, GENERATE or IMPORT, type, size, operations, and for an import the material."""

    use_required_attribute = False

    name = PlainNameField(
        label="Name", max_length=NAME_LENGTH, widget=forms.TextInput(attrs=PLAIN), help_text="Also its CKA_LABEL."
    )
    is_hsm = forms.BooleanField(
        label="This is an HSM/external KMS object", required=False, widget=forms.CheckboxInput(attrs=ASK_ANEW)
    )
    group = forms.ChoiceField(label="Assign to a group")
    how = forms.ChoiceField(
        label="Key",
        choices=[
            (GENERATE, "GENERATE: a new key is made where the group keeps its keys"),
            (IMPORT, "IMPORT: a key that exists is put there"),
        ],
        initial=GENERATE,
        widget=forms.RadioSelect(attrs=ASK_ANEW),
    )
    key_type = forms.ChoiceField(
        label="Key type",
        choices=[(kind.name, kind.label) for kind in TYPES.values()],
        initial="aes",
        widget=forms.Select(attrs=ASK_ANEW | {"class": "short"}),
    )
    shown_type = forms.CharField(required=False, widget=forms.HiddenInput)
    spec = forms.ChoiceField(label="Key size", widget=forms.Select(attrs={"class": "short"}))
    operations = forms.MultipleChoiceField(
        label="Key operations permitted",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one operation."},
    )
    spelling = forms.ChoiceField(
        label="Written as",
        choices=[
            (Spelling.HEX, "Hexadecimal digits"),
            (Spelling.BASE64, "Base64"),
            (Spelling.RAW, "Raw bytes (file only)"),
        ],
        widget=forms.Select(attrs={"class": "short"}),
    )
    value = OpenField(
        label="Place value here or import from file",
        strip=False,
        max_length=MOST_BYTES,
        widget=forms.Textarea(attrs=PLAIN | {"rows": 7, "class": "mono", "hx-preserve": "true"}),
    )
    value_file = forms.FileField(
        label="Import from file", required=False, widget=forms.FileInput(attrs={"hx-preserve": "true"})
    )
    passphrase = forms.CharField(
        label="Passphrase of the private key",
        required=False,
        strip=False,
        max_length=1024,
        help_text="Only when the file is encrypted.",
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "off", "spellcheck": "false", "hx-preserve": "true"}
        ),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = {str(group.pk): group for group in managed_groups(user, hsm=bool(self._chosen("is_hsm")))}
        self._choices("group", [("", "Choose a group"), *((pk, group.title) for pk, group in self.groups.items())])
        self._offer(TYPES.get(str(self._chosen("key_type")), TYPES["aes"]))

    @property
    def is_import(self) -> bool:
        """Whether IMPORT is chosen."""
        return bool(self._chosen("how") == IMPORT)

    def _offer(self, kind: KeyType) -> None:
        self.fields["shown_type"].initial = kind.name
        self._choices("spec", [(str(spec), label) for spec, label in kind.sizes.items()])
        self._choices("operations", operation_choices(kind.operations))
        if not self.is_bound and self.initial.get("shown_type") != kind.name:
            first_choices: dict[str, Any] = {
                "shown_type": kind.name,
                "spec": str(kind.preferred),
                "operations": [str(operation) for operation in ordered(kind.default)],
            }
            self.initial.update(first_choices)
        for name in self._left_out(kind):
            del self.fields[name]

    def _left_out(self, kind: KeyType) -> tuple[str, ...]:
        if not self.is_import:
            return (*SECRETS, "spelling")
        return ("passphrase",) if kind.name == "aes" else ("spelling",)

    def _chosen(self, name: str) -> Any:
        """Return what is chosen so far, checked or not."""
        return self.data.get(name, "") if self.is_bound else self.get_initial_for_field(self.fields[name], name)

    def _choices(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared so above
        field.choices = list(choices)

    def clean(self) -> dict[str, Any]:
        """Take the material from one of its two places."""
        cleaned = super().clean() or self.cleaned_data
        if not self.is_import or self.errors.keys() & {"value", "value_file"}:
            return cleaned
        pasted, uploaded = cleaned.pop("value", ""), cleaned.pop("value_file", None)
        if pasted.strip() and uploaded:
            self.add_error("value", "Paste the key or choose its file, not both.")
        elif uploaded:
            cleaned["material"] = Secret(uploaded.read(MOST_BYTES + 1))
        elif not pasted.strip():
            self.add_error("value", "Paste the key, or choose its file.")
        elif cleaned.get("spelling") == Spelling.RAW:
            self.add_error("spelling", "Raw bytes cannot be pasted. Choose the file, or write them as digits.")
        else:
            cleaned["material"] = Secret(pasted.strip())
        return cleaned

    @property
    def wanted(self) -> Wanted:
        """The key that a valid form asks for."""
        data = self.cleaned_data
        operations = frozenset(Operation(value) for value in data["operations"])
        return Wanted(data["name"], KeySpec(data["spec"]), operations)

    @property
    def chosen_group(self) -> Group:
        """The group of a valid form."""
        return self.groups[self.cleaned_data["group"]]

    @property
    def spelled(self) -> Spelling:
        """How the material of a valid form is written; a key pair says it itself."""
        return Spelling(self.cleaned_data.get("spelling") or Spelling.RAW)

    @property
    def opens_with(self) -> Secret | None:
        """The passphrase of a valid form."""
        typed = self.cleaned_data.get("passphrase")
        return Secret(typed) if typed else None


def managed_groups(user: User, *, hsm: bool | None = None) -> list[Group]:
    """Return the groups whose keys the user manages, all or those of one kind."""
    groups = visible_groups(user)
    if not user.may(Capability.MANAGE_HSM):
        groups = groups.filter(members__user=user, members__role=GroupRole.ADMINISTRATOR)
    if hsm is not None:
        groups = groups.filter(kind=GroupKind.HSM if hsm else GroupKind.SOFTWARE)
    return list(groups.order_by("title"))


def shown_again(sent: QueryDict) -> Mapping[str, Any]:
    """Return what a sent form holds, as the start of the same form with other choices; never the material."""
    kept = {name: sent.get(name, "") for name in ("name", "group", "how", "key_type", "shown_type", "spec", "spelling")}
    return {**kept, "is_hsm": "is_hsm" in sent, "operations": sent.getlist("operations")}
