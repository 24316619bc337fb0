"""Apps as the listeners install them."""

from allauth.account.apps import AccountConfig


class ModelsOfSignIn(AccountConfig):  # type: ignore[misc]  # allauth has no types
    """The tables of users refer to allauth's; nobody signs in here, so its middleware is not asked for."""

    def ready(self) -> None:
        """Set nothing up."""
