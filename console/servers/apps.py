"""The servers of the deployment."""

from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "console.servers"
    label = "servers"
    default_auto_field = "django.db.models.BigAutoField"
