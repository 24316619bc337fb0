"""Forms of the HSM pages."""

from django import forms

from settings_store.catalogue import KEY_WORDS, KEYS_ON_HSM


class RebindForm(forms.Form):
    """Whose settings name the token on which the keys are looked for."""

    key = forms.ChoiceField(
        label="Look for the keys on",
        choices=[(key, f"the token that Keys.{key}.* names, for the {KEY_WORDS[key]} key") for key in KEYS_ON_HSM],
    )
