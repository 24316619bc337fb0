"""URLs of the PKI log."""

from django.urls import path

from console.pkilog import views

app_name = "pkilog"
urlpatterns = [
    path("", views.view, name="view"),
    path("download/<str:name>/", views.download, name="download"),
]
