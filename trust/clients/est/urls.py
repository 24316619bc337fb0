"""URLs of EST (RFC 7030 §3.2.2), of nonces, and of revocation lists, on the listener with TLS."""

from django.urls import path, re_path

from trust.clients.est import views

FOLDER = ".well-known/est"

urlpatterns = [
    path(f"{FOLDER}/cacerts", views.ca_certificates),
    path(f"{FOLDER}/csrattrs", views.attributes),
    path(f"{FOLDER}/simpleenroll", views.enrol),
    path(f"{FOLDER}/simplereenroll", views.renew),
    path("v1/nonce", views.make_nonce),
    re_path(r"^crl/([0-9a-f]{40})\.crl$", views.revocation_list),
]
