"""URLs of the HSM pages."""

from django.urls import path

from hsm.views import browsing, connections, groups, members, sync, use
from hsm.views import tokens as views

app_name = "hsm"

urlpatterns = [
    path("check/", views.checked, name="checked"),
    path("check/start/", views.check, name="check"),
    path("check/<uuid:job_id>/report/", views.check_report, name="report"),
    path("tokens/", views.list_tokens, name="tokens"),
    path("token/<uuid:binding_id>/", views.binding, name="binding"),
    path("token/<uuid:binding_id>/rebind/", views.rebind, name="rebind"),
    path("groups/", groups.groups, name="groups"),
    path("groups/new/", groups.group_new, name="group-new"),
    path("groups/<uuid:group_id>/", groups.group, name="group"),
    path("groups/<uuid:group_id>/edit/", groups.group_edit, name="group-edit"),
    path("groups/<uuid:group_id>/policy/", groups.group_policy, name="group-policy"),
    path("groups/<uuid:group_id>/scan/", groups.group_scan, name="group-scan"),
    path("groups/<uuid:group_id>/certificates/", groups.group_trust, name="group-trust"),
    path("groups/<uuid:group_id>/delete/", groups.group_delete, name="group-delete"),
    path("groups/<uuid:group_id>/hsm/", connections.group_hsm, name="group-hsm"),
    path("groups/<uuid:group_id>/hsm/states/", connections.states, name="group-states"),
    path("groups/<uuid:group_id>/hsm/test/", connections.group_test, name="group-test"),
    path("groups/<uuid:group_id>/connections/new/", connections.connection_new, name="connection-new"),
    path("connections/<uuid:connection_id>/", connections.connection, name="connection"),
    path("connections/<uuid:connection_id>/test/", connections.connection_test, name="connection-test"),
    path("connections/<uuid:connection_id>/move/<slug:how>/", connections.connection_move, name="connection-move"),
    path("connections/<uuid:connection_id>/delete/", connections.connection_delete, name="connection-delete"),
    path("drafts/<uuid:draft_id>/test/", connections.draft_test, name="draft-test"),
    path("groups/<uuid:group_id>/members/", members.members, name="members"),
    path("groups/<uuid:group_id>/members/add/", members.add, name="member-add"),
    path("groups/<uuid:group_id>/members/<uuid:user_id>/role/", members.change_role, name="member-role"),
    path("groups/<uuid:group_id>/members/<uuid:user_id>/remove/", members.remove, name="member-remove"),
    path("objects/<uuid:object_id>/use/", use.use, name="object-use"),
    path("objects/<uuid:object_id>/use/<uuid:use_id>/", use.result, name="object-use-result"),
    path("groups/<uuid:group_id>/sync/", sync.sync, name="sync"),
    path("groups/<uuid:group_id>/sync/card/", sync.sync_card, name="sync-card"),
    path("groups/<uuid:group_id>/deleted-keys/", sync.list_tombstones, name="tombstones"),
    path("groups/<uuid:group_id>/deleted-keys/import/", sync.import_again, name="tombstone-import"),
    path("sync/<uuid:job_id>/", sync.report, name="sync-report"),
    path("objects/", browsing.objects, name="objects"),
    path("objects/export/", browsing.export, name="objects-export"),
    path("objects/export/<uuid:job_id>/", browsing.download, name="objects-download"),
]
