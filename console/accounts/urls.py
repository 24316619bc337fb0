"""Users & Roles, and one's own account."""

from django.urls import path

from console.accounts.views import changes, memberships, own, users

app_name = "accounts"

urlpatterns = [
    path("", users.users, name="users"),
    path("roles/", users.roles, name="roles"),
    path("new/", changes.create, name="create"),
    path("me/", own.profile, name="profile"),
    path("me/security/", own.security, name="security"),
    path("me/sessions/<int:session_id>/end/", own.end_own_session, name="end-own-session"),
    path("<uuid:user_id>/", users.user, name="user"),
    path("<uuid:user_id>/edit/", changes.edit, name="edit"),
    path("<uuid:user_id>/password/", changes.reset_password, name="reset-password"),
    path("<uuid:user_id>/second-factors/remove/", changes.remove_factors, name="remove-factors"),
    path("<uuid:user_id>/deactivate/", changes.deactivate, name="deactivate"),
    path("<uuid:user_id>/reactivate/", changes.reactivate, name="reactivate"),
    path("<uuid:user_id>/roles/<slug:key>/grant/", memberships.grant, name="grant"),
    path("<uuid:user_id>/roles/<slug:key>/withdraw/", memberships.withdraw, name="withdraw"),
    path("<uuid:user_id>/sessions/<int:session_id>/end/", changes.end_session, name="end-session"),
]
