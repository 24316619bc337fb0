"""The Django project as an app: the shell's templates tags and the top layer's registrations."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from console.lib import fieldwords


class ConsoleConfig(AppConfig):
    name = "console"
    label = "console"

    def ready(self) -> None:
        """Give forms their words, and make every app's job kinds known, in the web process too: it shows them."""
        fieldwords.use()
        autodiscover_modules("jobs")
        import console.checks
        import console.support  # noqa: F401 - its job kind; it has no `jobs` module, since that name is taken
        from console import panels

        panels.register()
