"""URLs of clients and of the infrastructure files."""

from django.urls import URLPattern

app_name = "trust"
urlpatterns: list[URLPattern] = []
