"""The forms of the infrastructure pages."""

import uuid

from django import forms

from console.lib.errors import InvalidError
from console.lib.plainname import PlainNameField
from console.lib.wholenumber import WholeNumberField
from trust.infrastructure import servernames
from trust.infrastructure.credentials import (
    DAYS,
    DAYS_AT_MOST,
    MOST_USES,
    MOST_USES_AT_MOST,
    NOTE_LENGTH,
    Limits,
)
from trust.infrastructure.files import Wanted


class DownloadForm(forms.Form):
    """Ask for a keystead-init.dat. `token` is new with every showing: it makes a second sending harmless."""

    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    most_uses = WholeNumberField(
        unit="clients",
        low=1,
        high=MOST_USES_AT_MOST,
        label="New clients at most",
        initial=MOST_USES,
        help_text="How many names that this server does not know yet may enrol with the file.",
    )
    days = WholeNumberField(
        unit="days",
        low=1,
        high=DAYS_AT_MOST,
        label="Valid for days",
        initial=DAYS,
        help_text="After that no new name enrols with it. Clients that have enrolled stay as they are.",
    )
    note = PlainNameField(
        label="Who gets the file",
        required=False,
        max_length=NOTE_LENGTH,
        help_text="Shown in the list and in the activity log.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    @property
    def wanted(self) -> Wanted:
        """What was asked for; call it on a valid form only."""
        data = self.cleaned_data
        limits = Limits(data["most_uses"], data["days"], data["note"])
        return Wanted(data["token"], limits, data.get("server_names", ""))


class SettingsDownloadForm(DownloadForm):
    """The same, with settings that the client begins with (BND-15)."""

    server_names = forms.CharField(
        label=servernames.SETTING,
        max_length=8_000,
        help_text="Names of servers that the client tries, in this order: one a line, or separated by commas, without "
        "ports. A client accepts a server only under a name that its TLS certificate has.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false", "autocapitalize": "off"}),
    )
    field_order = ("token", "server_names")

    def clean_server_names(self) -> str:
        """Return the names as the file has them."""
        try:
            parsed = servernames.parse(self.cleaned_data["server_names"])
        except InvalidError as error:
            raise forms.ValidationError(error.message) from error
        if not parsed:
            raise forms.ValidationError("Give at least one name.")
        return parsed


class WithdrawForm(forms.Form):
    """Confirm the withdrawal of what was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)
