"""URLs of Advanced Settings."""

from django.urls import path

from settings_store import views

app_name = "settings_store"

urlpatterns = [
    path("", views.settings_list, name="list"),
    path("add/", views.add, name="add"),
    path("delete/", views.delete, name="delete"),
    path("reset/", views.reset, name="reset"),
    path("<str:setting_key>/", views.edit, name="edit"),
    path("<str:setting_key>/save/", views.save, name="save"),
]
