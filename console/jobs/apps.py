"""Background jobs."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "console.jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say where a job is shown."""
        from console import links

        links.register("job", "jobs:detail")
