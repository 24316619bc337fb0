"""What the views of django-allauth need: they cannot carry a declaration of their own."""

from console.lib.capability import Capability

ALLAUTH_VIEWS: dict[str, tuple[Capability, bool]] = {
    "account_login": (Capability.PUBLIC, False),
    "account_logout": (Capability.PUBLIC, False),
    "account_reauthenticate": (Capability.SIGNED_IN, False),
}
