"""URLs of clients and of the infrastructure files."""

from django.urls import path

from trust.views import (
    client,
    clientacts,
    clients,
    credentials,
    dependants,
    infrastructure,
    initfiles,
    questions,
    readmission,
)

app_name = "trust"
urlpatterns = [
    # Below the root, as its breadcrumb says: the menu marks the entry of the address.
    path("keys/root/<uuid:root_id>/clients/", dependants.dependants, name="dependants"),
    path("clients/", clients.clients, name="clients"),
    path("clients/readmission/", readmission.begin, name="readmission-begin"),
    path("clients/readmission/withdraw/", readmission.withdraw, name="readmission-withdraw"),
    path("clients/export/", clients.export, name="clients-export"),
    path("clients/export/<uuid:job_id>/download/", clients.download, name="clients-download"),
    path("clients/<uuid:client_id>/", client.client, name="client"),
    path("clients/<uuid:client_id>/allow/", clientacts.allow, name="client-allow"),
    path("clients/<uuid:client_id>/withdraw/", clientacts.withdraw, name="client-withdraw"),
    path("clients/<uuid:client_id>/reset/", clientacts.reset, name="client-reset"),
    path("clients/<uuid:client_id>/revoke/", clientacts.revoke, name="client-revoke"),
    path("infrastructure/", infrastructure.infrastructure, name="infrastructure"),
    path("infrastructure/keystead.pub", infrastructure.legacy_key, name="legacy-key"),
    path("infrastructure/download/", initfiles.download, name="init-file-download"),
    path("infrastructure/files/<uuid:file_id>/", initfiles.init_file, name="init-file"),
    path("infrastructure/files/<uuid:file_id>/state/", initfiles.init_file_state, name="init-file-state"),
    path("infrastructure/files/<uuid:file_id>/keystead-init.dat", initfiles.fetch, name="init-file-fetch"),
    path("infrastructure/credentials/", credentials.credential_list, name="credentials"),
    path("infrastructure/credentials/<uuid:credential_id>/", credentials.credential, name="credential"),
    path("infrastructure/credentials/<uuid:credential_id>/withdraw/", credentials.withdraw, name="credential-withdraw"),
    path("questions/", questions.questions, name="questions"),
    path("questions/ask/", questions.ask, name="ask"),
    path("questions/<uuid:question_id>/", questions.question, name="question"),
    path("questions/<uuid:question_id>/results/", questions.question_results, name="question-results"),
]
