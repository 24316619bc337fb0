"""Forms for users and roles, and our words for allauth's."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from django import forms
from django.contrib.auth.password_validation import validate_password

from console.accounts.models import NAME_TAKEN, User, username_validator
from console.lib.plainname import PlainNameField
from console.lib.secret import Secret

PASSWORD_HELP = "At least 12 characters. A few random words are easier to keep than signs and digits."  # noqa: S105
FIRST_PASSWORD_HELP = (
    f"{PASSWORD_HELP} It opens once, within 24 hours, and is changed at that sign-in. Hand it over in person."
)


def _quiet(form: forms.Form) -> None:
    """Take allauth's placeholders away: a label stays in view, a placeholder does not."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth ships no types
    """User name and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "User name"
        self.fields["login"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}
        _quiet(self)


class ConfirmForm(ReauthenticateForm):  # type: ignore[misc]
    """The password again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _quiet(self)


class OwnPasswordForm(ChangePasswordForm):  # type: ignore[misc]
    """The password of the signed-in user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "oldpassword": "Current password",
            "password1": "New password",
            "password2": "New password, again",
        }
        for name, label in labels.items():
            self.fields[name].label = label
        self.fields["password1"].help_text = PASSWORD_HELP
        _quiet(self)

    def clean_password1(self) -> str:
        """Refuse the old password as the new one."""
        password: str = self.cleaned_data["password1"]
        if self.user.check_password(password):
            raise forms.ValidationError("The new password is the current one. Choose another.")
        return password


class FirstPasswordForm(forms.Form):
    """A password that an Administrator chooses for somebody, typed twice; it never comes back to a page."""

    password1 = forms.CharField(
        label="First password",
        strip=False,
        help_text=FIRST_PASSWORD_HELP,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="First password, again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        """Compare both, and apply the rules for passwords."""
        data = super().clean() or {}
        first, second = data.get("password1"), data.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two passwords differ. Type both again.")
        elif first:
            try:
                validate_password(first, self.subject_of_rules())
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return data

    def subject_of_rules(self) -> User:
        """Return the user whose name the password must not resemble."""
        return self.user

    @property
    def password(self) -> Secret:
        """What was typed, once the form is valid."""
        return Secret(self.cleaned_data["password1"])


class NewUserForm(FirstPasswordForm):
    """A new user with a first password."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        validators=[username_validator],
        help_text="Letters, digits and . _ @ + - only. It cannot be changed later: the activity log keeps it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    display_name = PlainNameField(label="Name", max_length=120, required=False, help_text="What pages show.")
    email = forms.EmailField(
        label="Email", required=False, help_text="For other people only: the console sends no mail."
    )
    field_order = ("username", "display_name", "email", "password1", "password2")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, user=User(), **kwargs)

    def clean_username(self) -> str:
        """Refuse a name that is taken, whatever the case."""
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return username

    def subject_of_rules(self) -> User:
        """Return a user with the names typed here."""
        names = {name: self.cleaned_data.get(name, "") for name in ("username", "display_name", "email")}
        return User(**names)


class UserForm(forms.Form):
    """What pages show of a user."""

    display_name = PlainNameField(label="Name", max_length=120, required=False)
    email = forms.EmailField(label="Email", required=False)
