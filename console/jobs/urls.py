"""URLs of the job pages."""

from django.urls import path

from console.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.index, name="list"),
    path("rows/", views.rows, name="rows"),
    path("housekeeping/", views.housekeeping, name="housekeeping"),
    path("<uuid:job_id>/", views.detail, name="detail"),
    path("<uuid:job_id>/card/", views.card, name="card"),
    path("<uuid:job_id>/cancel/", views.cancel, name="cancel"),
    path("<uuid:job_id>/reschedule/", views.reschedule, name="reschedule"),
    path("<uuid:job_id>/run-now/", views.run_now, name="run-now"),
    path("<uuid:job_id>/retry/", views.retry, name="retry"),
]
