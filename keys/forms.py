"""Forms of the key pages."""

import uuid
from datetime import datetime
from typing import Any

from django import forms

from console.lib.moment import MomentField
from console.lib.typedname import TypedNameForm
from keys.models.root import RevocationReason

LONGEST_NOTE = 500


class CreateForm(forms.Form):
    """Ask for a root key. `token` is new with every showing: it makes a second sending harmless."""

    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    in_doubt = forms.BooleanField(
        required=False,
        label="The security of the present root keys is in doubt",
        help_text="Then the new key is not cross-certified by them, and you revoke them right after. Whoever knows "
        "only an old key needs a new initialisation file.",
    )


class RevokeForm(TypedNameForm):
    """Confirm a revocation. The exact name, the reason and the consequences that were shown are checked again."""

    field_order = ("seen", "when", "due_at", "reason", "note", "backup", "typed")

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
    when = forms.ChoiceField(
        label="When",
        choices=[
            ("later", "At the time below; it can be cancelled until then"),
            ("ready", "At the time below, and only when nobody needs it any more"),
            ("now", "Now"),
        ],
        widget=forms.RadioSelect,
    )
    due_at = MomentField(
        label="Date and time, UTC", error_messages={"required": "Choose the date and the time, or choose Now."}
    )
    reason = forms.ChoiceField(label="Reason", choices=[("", "Choose a reason"), *RevocationReason.choices])
    note = forms.CharField(
        label="Note for the activity log",
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    backup = forms.BooleanField(
        label="I have a backup from before, and will back up again right after this",
        error_messages={"required": "Back up immediately before and after you revoke, and tick this box."},
    )

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self.fields["due_at"].required = self.data.get("when") != "now"

    @property
    def only_when_ready(self) -> bool:
        """Whether it waits, after that time, until nobody needs the key."""
        return bool(self.cleaned_data["when"] == "ready")

    @property
    def chosen_time(self) -> datetime | None:
        """The time that was chosen; None means now."""
        if self.cleaned_data["when"] == "now":
            return None
        chosen: datetime = self.cleaned_data["due_at"]
        return chosen
