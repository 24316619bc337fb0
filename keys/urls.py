"""URLs of the key pages."""

from django.urls import path

from keys.views import backups, current, details, downloads, integration, overview, revoke

app_name = "keys"
urlpatterns = [
    path("", current.current_server, name="current-server"),
    path("create/", current.create, name="create"),
    path("activity/", overview.activity, name="activity"),
    path("workflow/", overview.rotation_workflow, name="workflow"),
    path("propagation/", overview.propagation_list, name="propagation"),
    path("troubleshooting/", overview.troubleshooting, name="troubleshooting"),
    path("root/<uuid:root_id>/", details.root, name="root"),
    path("root/<uuid:root_id>/revoke/", revoke.revoke, name="revoke"),
    path("root/<uuid:root_id>/schedule/", revoke.schedule, name="schedule"),
    path("root/<uuid:root_id>/cancel/", revoke.cancel, name="cancel-revocation"),
    path("root/<uuid:root_id>/crl/", downloads.crl, name="crl"),
    path("root/<uuid:root_id>/directive/", downloads.directive, name="directive"),
    path("subordinate/<uuid:key_id>/", details.subordinate, name="subordinate"),
    path("subordinate/<uuid:key_id>/rotate/", details.rotate, name="rotate"),
    path("key/<uuid:key_id>/public-key/", downloads.public_key, name="public-key"),
    path("key/<uuid:key_id>/certificate/", downloads.certificate, name="certificate"),
    path("cross/<int:cross_id>/", downloads.cross_certificate, name="cross-certificate"),
    path("hsm-integration/", integration.integration, name="integration"),
    path("hsm-integration/verify-keys/", integration.verify, name="integration-verify"),
    path("hsm-integration/leave/", integration.leave, name="integration-leave"),
    path("hsm-integration/disable/", integration.disable, name="integration-disable"),
    path("hsm-integration/troubleshooting/", integration.troubleshooting, name="integration-troubleshooting"),
    path("hsm-integration/step/<slug:slug>/", integration.step, name="integration-step"),
    path("hsm-integration/step/<slug:slug>/save/", integration.save, name="integration-save"),
    path("backups/", backups.backups, name="backups"),
    path("backups/new/", backups.back_up, name="back-up"),
    path("backups/<uuid:backup_id>/", backups.backup, name="backup"),
]
