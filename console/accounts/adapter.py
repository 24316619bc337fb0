"""How the console differs from allauth's defaults: its log, its one-time passwords, its reauthentication."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.forms import ValidationError
from django.http import HttpRequest, HttpResponse

from console.accounts import factor_keys, idle, passwords, recent, sessions, sign_in
from console.accounts.models import User
from console.lib import clock
from console.lib.secret import Secret


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Sign-in by user name and password; nobody signs up."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "The user name or the password is wrong.",
        "incorrect_password": "The password is wrong.",
        "enter_current_password": "The current password is wrong.",
        "incorrect_code": "The code is wrong, or was used already. Wait for the next one.",
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes, then try again.",
        "rate_limited": "Too many attempts. Wait a minute, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Administrators make users."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Check the password; one that somebody else chose must not be spent or expired.

        Says so only to whoever knows the password. Raises ValidationError for that and for too many attempts.
        """
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and user.is_password_expired(clock.now()) and not request.user.is_authenticated:
            sign_in.refuse(request, user, "first password expired or used")
            raise ValidationError(passwords.EXPIRED)
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt; record when a series of failures closes the door for a while."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            sign_in.throttle(request, str(credentials.get("username", "")))
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record a wrong password."""
        sign_in.fail(request, str(credentials.get("username", "")))

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """Record that a deactivated user tried."""
        sign_in.refuse(request, user, "deactivated")
        response: HttpResponse = super().respond_user_inactive(request, user)
        return response

    @transaction.atomic
    def login(self, request: HttpRequest, user: User) -> None:
        """Begin the session, spend a first password, write the entry: all or nothing."""
        sessions.forget_expired()
        passwords.spend_first(user)
        super().login(request, user)
        idle.begin(request.session, clock.now())
        sign_in.record(request, user)

    @transaction.atomic
    def logout(self, request: HttpRequest) -> None:
        """End the session and write the entry."""
        user = request.user
        super().logout(request)
        sign_in.record_end(user)

    @transaction.atomic
    def set_password(self, user: User, password: str) -> None:
        """Set the password that the signed-in user chose for themselves."""
        passwords.change_own(user, Secret(password), keep_session=context.request.session.session_key or "")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Go on to where the user wanted to go before the password had to be changed."""
        return str(request.session.pop("after_password_change", "")) or super().get_login_redirect_url(request)

    def is_reauthentication_required(self, **_: Any) -> bool:
        """Apply the console's rule to allauth's own pages too."""
        return not recent.is_recent(context.request)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Second factors, their secrets encrypted."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
    }

    def encrypt(self, text: str) -> str:
        """Return the text as the database may hold it."""
        return factor_keys.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return the text again."""
        return factor_keys.decrypt(encrypted_text)

    def build_totp_svg(self, url: str) -> str:
        """Return the QR code as an <svg> for the page itself: the security policy allows no data: images."""
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's
        """Suggest a name for a new security key."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return f"Security key {number}"
