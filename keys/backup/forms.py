"""The form that asks for a backup."""

from typing import Any

from django import forms

from console.lib.errors import InvalidError
from console.lib.secret import Secret
from keys.backup.asking import MIN_PASSPHRASE, check_passphrase
from keys.models.backup import BackupLabel

LONGEST = 1024


def _passphrase(label: str, help_text: str = "") -> forms.CharField:
    # Never rendered back: a form with an error asks for the passphrase again.
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}, render_value=False)
    return forms.CharField(label=label, help_text=help_text, max_length=LONGEST, strip=False, widget=widget)


class BackUpForm(forms.Form):
    """Label and passphrase, typed twice. `passphrase` of a valid form is a Secret."""

    label = forms.ChoiceField(
        label="What it is for",
        choices=[
            (BackupLabel.MANUAL, "Any other time"),
            (BackupLabel.PRE_REVOCATION, "Immediately before a root key is revoked (for planning only)"),
            (BackupLabel.POST_REVOCATION, "Immediately after a root key was revoked (for recovery)"),
        ],
        widget=forms.RadioSelect,
    )
    typed = _passphrase(
        "Passphrase",
        f"At least {MIN_PASSPHRASE} characters. The archive opens with nothing else, and the console does not keep it: "
        "store it in a safe place, apart from the archive.",
    )
    again = _passphrase("The same passphrase once more")

    def clean_typed(self) -> Secret:
        """Return the passphrase, out of sight."""
        passphrase = Secret(self.cleaned_data["typed"])
        try:
            check_passphrase(passphrase)
        except InvalidError as error:
            raise forms.ValidationError(error.message) from error
        return passphrase

    def clean(self) -> dict[str, Any]:
        """Refuse two that differ."""
        cleaned = super().clean() or self.cleaned_data
        again = cleaned.pop("again", None)
        if "typed" in cleaned and again is not None and cleaned["typed"] != Secret(again):
            self.add_error("again", "The two differ. Type the same passphrase twice.")
        return cleaned

    @property
    def passphrase(self) -> Secret:
        """What was typed."""
        typed: Secret = self.cleaned_data["typed"]
        return typed
