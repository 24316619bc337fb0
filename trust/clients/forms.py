"""Forms of Client Status, and of the acts on one client."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from console.lib.digest import groups
from console.lib.durations import whole
from console.lib.search import NUL, UNKNOWN
from console.lib.typedname import TypedNameForm
from keys.models.root import Root, RootKind, RootState
from trust.clients.consequences import came_by
from trust.clients.listing import PENDING, PLAIN, REGISTERED, TLS, UNAWARE, Wanted
from trust.models.clients import PendingEnrolment, Protocol

NEITHER = "none"  # sent with every form: without it, no box ticked would look like no form at all
LONGEST_REASON = 200
HOURS = (1, 24, 72, 168)
ANY_KEY = "any"
MARKS = (
    ("", "Any"),
    ("unproven", "Unauthenticated"),
    (PENDING, "Waits to re-enrol"),
    (UNAWARE, "Without newest root"),
    ("revoked", "Revoked"),
)


class RegisteredField(forms.MultipleChoiceField):
    """Filter by Registration: both boxes are ticked until a form says otherwise."""

    def to_python(self, value: Any) -> list[str]:
        """Leave out what only says that there is a form."""
        return [one for one in super().to_python(value) if one != NEITHER]


class ClientFilter(forms.Form):
    """What Client Status shows."""

    q = forms.CharField(label="Name or IP address begins with", required=False, max_length=253)
    registered = RegisteredField(label="Filter by Registration", required=False, choices=REGISTERED)
    protocol = forms.ChoiceField(required=False, choices=[("", "Any"), *Protocol.choices])
    root = forms.ChoiceField(label="Root key", required=False)
    mark = forms.ChoiceField(label="State", required=False, choices=MARKS)

    def __init__(self, data: QueryDict, *args: Any, **kwargs: Any) -> None:
        given = data.copy()
        if "registered" not in given:
            given.setlist("registered", [TLS, PLAIN])
        super().__init__(given, *args, **kwargs)
        field = self.fields["root"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "Any"), *((str(root.pk), root.short_name) for root in _roots())]

    def clean_q(self) -> str:
        """Return it as names are kept; PostgreSQL takes no NUL."""
        text: str = self.cleaned_data["q"]
        return text.replace(NUL, UNKNOWN).strip().lower()

    @property
    def wanted(self) -> Wanted:
        """Return the filter; an empty one when a field does not hold."""
        if not self.is_valid():
            return Wanted()
        return Wanted(**{**self.cleaned_data, "registered": frozenset(self.cleaned_data["registered"])})


class AllowForm(forms.Form):
    """Let a client enrol once without proof of its last key: with the key that is chosen, where some wait."""

    key = forms.ChoiceField(
        label="Which key gets the certificate",
        required=False,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a key, after comparing it on the computer itself."},
    )
    hours = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        initial=24,
        choices=[(hours, whole(hours * 3600)) for hours in HOURS],
        widget=forms.RadioSelect,
    )

    def __init__(self, waiting: Sequence[PendingEnrolment], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not waiting:
            del self.fields["key"]
            return
        keys = [
            (one.spki_fingerprint, f"{' '.join(groups(one.spki_fingerprint[:16]))} … {came_by(one)}") for one in waiting
        ]
        self.fields["key"].required = True
        self.fields["key"].choices = [*keys, (ANY_KEY, "Whichever asks first")]  # type: ignore[attr-defined]
        self.fields["key"].initial = keys[0][0] if len(keys) == 1 else None

    @property
    def chosen(self) -> str:
        """The fingerprint of the chosen key, empty for any; of a valid form."""
        key: str = self.cleaned_data.get("key", ANY_KEY)
        return "" if key == ANY_KEY else key


class RevokeForm(TypedNameForm):
    """Confirm the revocation of a client: its exact name and a reason."""

    field_order = ("reason", "typed")

    reason = forms.CharField(
        label="Reason, for the activity log",
        max_length=LONGEST_REASON,
        error_messages={"required": "Say why: the activity log keeps it."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


def _roots() -> list[Root]:
    states = (RootState.ACTIVE, RootState.REVOKED)
    return list(Root.objects.filter(kind=RootKind.ROOT, state__in=states).order_by("-number"))
