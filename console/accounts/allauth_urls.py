"""The pages of django-allauth that the console uses. Sign-up, email and password reset by mail are left out."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.usersessions import views as usersessions
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern
from django.urls import path as django_path

View = Callable[..., HttpResponseBase]


def path(route: str, view: View, name: str) -> URLPattern:
    """Route to a view of allauth, which answers 422 where allauth says 200: when a form comes back with errors."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if request.method == "POST" and response.status_code == HTTPStatus.OK:
            response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response

    return django_path(route, answer, name=name)


urlpatterns = [
    path("sign-in/", account.login, "account_login"),
    path("sign-out/", account.logout, "account_logout"),
    path("inactive/", account.account_inactive, "account_inactive"),
    path("confirm/", account.reauthenticate, "account_reauthenticate"),
    path("password/", account.password_change, "account_change_password"),
    path("sign-in/second-factor/", mfa.authenticate, "mfa_authenticate"),
    path("confirm/code/", mfa.reauthenticate, "mfa_reauthenticate"),
    path("confirm/security-key/", webauthn.reauthenticate_webauthn, "mfa_reauthenticate_webauthn"),
    path("second-factor/", mfa.index, "mfa_index"),
    path("second-factor/app/add/", totp.activate_totp, "mfa_activate_totp"),
    path("second-factor/app/remove/", totp.deactivate_totp, "mfa_deactivate_totp"),
    path("second-factor/codes/", recovery_codes.view_recovery_codes, "mfa_view_recovery_codes"),
    path("second-factor/codes/new/", recovery_codes.generate_recovery_codes, "mfa_generate_recovery_codes"),
    path("second-factor/keys/", webauthn.list_webauthn, "mfa_list_webauthn"),
    path("second-factor/keys/add/", webauthn.add_webauthn, "mfa_add_webauthn"),
    path("second-factor/keys/<int:pk>/rename/", webauthn.edit_webauthn, "mfa_edit_webauthn"),
    path("second-factor/keys/<int:pk>/remove/", webauthn.remove_webauthn, "mfa_remove_webauthn"),
    path("sessions/", usersessions.list_usersessions, "usersessions_list"),
]
