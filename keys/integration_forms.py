"""Forms of the guided page. Each saves Advanced Settings through the store; rules live there."""

from collections.abc import Iterable
from typing import Any

from django import forms

from hsm.models.tokens import SeenToken
from keys.integration import Integration
from settings_store.catalogue import ENTRIES, KEY_WORDS, KEYS_ON_HSM
from settings_store.forms import LONGEST, PLAIN, OpenField

Change = tuple[str, str | None]
SO_HELP = (
    "The user PIN of the token. Setting it needs the security officer (SO): <code>pkcs11-tool --login --login-type so "
    "--init-pin</code>; <code>pkcs11-tool --login --change-pin</code> changes it. Leave the field empty to keep what "
    "is stored."
)


class ModuleForm(forms.Form):
    """The path of the module."""

    use_required_attribute = False
    path = OpenField(
        label="HSMModulePath", max_length=LONGEST, help_text=ENTRIES["HSMModulePath"].help,
        widget=forms.TextInput(attrs=PLAIN | {"class": "mono"}),
    )  # fmt: skip

    def __init__(self, *args: Any, here: Integration, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["path"] = here.module_path

    def changes(self) -> Iterable[Change]:
        """Yield what to save."""
        yield "HSMModulePath", self.cleaned_data["path"]


class UseForm(forms.Form):
    """Where each key is made."""

    def __init__(self, *args: Any, here: Integration, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key in here.keys:
            self.fields[key.key] = forms.ChoiceField(
                label=f"The next {key.word} key is made",
                choices=[("1", "on the HSM, and never leaves it"), ("0", "in the key store of this server (pki.db)")],
                widget=forms.RadioSelect,
                initial="1" if key.used else "0",
                help_text=f"<code>Keys.{key.key}.UseHSM</code>",
            )

        self._used = {key.key: key.used for key in here.keys}

    def changes(self) -> Iterable[Change]:
        """Yield what to save; a setting that is absent means 0 and stays absent."""
        for key in KEYS_ON_HSM:
            wanted = self.cleaned_data[key]
            yield f"Keys.{key}.UseHSM", wanted if self._used[key] or wanted == "1" else None


class PinForm(forms.Form):
    """A PIN for each key; an empty field keeps what is stored."""

    use_required_attribute = False

    def __init__(self, *args: Any, here: Integration, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key in here.keys:
            attributes = PLAIN | {"autocomplete": "new-password", "class": "mono short"}
            if key.has_pin:
                attributes["placeholder"] = "(protected)"
            self.fields[key.key] = OpenField(
                label=f"Keys.{key.key}.HSMPassword",
                strip=False,
                max_length=LONGEST,
                help_text=SO_HELP if key.key == "Root" else "The same PIN again, when both keys live on one token.",
                widget=forms.PasswordInput(attrs=attributes),
            )

    def changes(self) -> Iterable[Change]:
        """Yield what to save; None keeps."""
        for key in KEYS_ON_HSM:
            yield f"Keys.{key}.HSMPassword", self.cleaned_data[key] or None


class _TokenField(forms.ChoiceField):
    """A choice that may be left open, without its label saying “optional”."""

    def validate(self, value: Any) -> None:
        """Accept “Not chosen” as well."""
        if value:
            super().validate(value)


class TokenForm(forms.Form):
    """The token of each key, from those that the module has, or by a name or ID that is typed."""

    OTHER = "other"
    use_required_attribute = False

    def __init__(self, *args: Any, here: Integration, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [token for token in here.tokens if token.initialized]
        self._labels = [token.label for token in offered]
        for key in here.keys:
            self.fields[f"{key.key}-choice"] = _TokenField(
                label=f"Token of the {key.word} key",
                choices=[("", "Not chosen"), *((_choice(token), _words(token)) for token in offered),
                         (self.OTHER, "Another one, named below")],
                initial=self._initial(key.token_name, key.token_id, offered),
            )  # fmt: skip
            self.fields[f"{key.key}-name"] = OpenField(
                label=f"Keys.{key.key}.HSMTokenName", max_length=LONGEST,
                initial=key.token_name, widget=forms.TextInput(attrs=PLAIN | {"class": "short"}),
            )  # fmt: skip
            self.fields[f"{key.key}-id"] = OpenField(
                label=f"Keys.{key.key}.HSMTokenID", max_length=LONGEST,
                initial=key.token_id, widget=forms.TextInput(attrs=PLAIN | {"class": "mono short"}),
            )  # fmt: skip

    def _initial(self, name: str, slot_id: str, offered: list[SeenToken]) -> str:
        for token in offered:
            if (not name or name == token.label) and (not slot_id or slot_id == token.slot_id) and (name or slot_id):
                return _choice(token)
        return self.OTHER if name or slot_id else ""

    def changes(self) -> Iterable[Change]:
        """Yield what to save: an empty text deletes the setting, so that name and ID never disagree."""
        for key in KEYS_ON_HSM:
            choice = self.cleaned_data[f"{key}-choice"]
            if choice == self.OTHER:
                yield f"Keys.{key}.HSMTokenID", self.cleaned_data[f"{key}-id"].strip()
                yield f"Keys.{key}.HSMTokenName", self.cleaned_data[f"{key}-name"].strip()
            elif choice:
                slot_id, _, label = choice.partition(":")
                # The name alone where it says which one; the slot number only where two tokens share a name.
                yield f"Keys.{key}.HSMTokenID", slot_id if self._shared(label) else ""
                yield f"Keys.{key}.HSMTokenName", label
            else:
                yield f"Keys.{key}.HSMTokenID", None
                yield f"Keys.{key}.HSMTokenName", None

    def _shared(self, label: str) -> bool:
        return self._labels.count(label) > 1

    def groups(self) -> list[tuple[str, Any, Any, Any]]:
        """Return the fields of each key, for the template."""
        return [
            (KEY_WORDS[key].capitalize(), self[f"{key}-choice"], self[f"{key}-name"], self[f"{key}-id"])
            for key in KEYS_ON_HSM
        ]


FORMS: dict[str, type[ModuleForm | UseForm | PinForm | TokenForm]] = {
    "module": ModuleForm,
    "use": UseForm,
    "pin": PinForm,
    "token": TokenForm,
}


def _choice(token: SeenToken) -> str:
    return f"{token.slot_id}:{token.label}"


def _words(token: SeenToken) -> str:
    return f"{token.label}, serial {token.serial}, slot {token.slot_id} ({token.slot_hex})"
