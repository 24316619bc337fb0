"""What the views of django-allauth need: they cannot carry a declaration of their own.

The table holds every view of `console.accounts.allauth_urls`; `recent` asks for a sign-in within ten minutes.
"""

from console.lib.capability import Capability

PUBLIC, SIGNED_IN = (Capability.PUBLIC, False), (Capability.SIGNED_IN, False)
RECENT = (Capability.SIGNED_IN, True)

ALLAUTH_VIEWS: dict[str, tuple[Capability, bool]] = {
    "account_login": PUBLIC,
    "account_logout": PUBLIC,
    "account_inactive": PUBLIC,
    "account_reauthenticate": SIGNED_IN,
    "account_change_password": RECENT,
    "mfa_authenticate": PUBLIC,  # the second step of a sign-in
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "mfa_index": SIGNED_IN,
    "mfa_activate_totp": RECENT,
    "mfa_deactivate_totp": RECENT,
    "mfa_view_recovery_codes": RECENT,
    "mfa_generate_recovery_codes": RECENT,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_add_webauthn": RECENT,
    "mfa_edit_webauthn": RECENT,
    "mfa_remove_webauthn": RECENT,
    "usersessions_list": SIGNED_IN,
}
