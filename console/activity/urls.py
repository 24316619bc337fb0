"""URLs of the activity log."""

from django.urls import path

from console.activity import views

app_name = "activity"
urlpatterns = [
    path("", views.index, name="list"),
    path("<int:seq>/", views.entry, name="entry"),
    path("verify/", views.verify, name="verify"),
    path("export/", views.export, name="export"),
    path("export/<uuid:job_id>/", views.download, name="download"),
]
