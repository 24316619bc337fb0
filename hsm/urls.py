"""URLs of the HSM pages."""

from django.urls import path

from hsm.views import tokens as views

app_name = "hsm"

urlpatterns = [
    path("check/", views.checked, name="checked"),
    path("check/start/", views.check, name="check"),
    path("check/<uuid:job_id>/report/", views.check_report, name="report"),
    path("tokens/", views.list_tokens, name="tokens"),
    path("token/<uuid:binding_id>/", views.binding, name="binding"),
    path("token/<uuid:binding_id>/rebind/", views.rebind, name="rebind"),
]
