"""The operations of EST (RFC 7030), and what goes with them: nonces for proofs, and revocation lists.

There is one CA and no label (§3.2.2). Full CMC (§4.3) and server-side key generation (§4.4) are not offered: private
keys never travel (KEY-44).
"""

from functools import lru_cache

import msgspec
from django.http import HttpRequest, HttpResponse

from console import pkilog
from console.lib import clock
from console.lib.errors import NotFoundError
from trust.clients import enrolment, nonce
from trust.clients.enrolment import Claim
from trust.clients.est import auth, wire
from trust.clients.est.edge import COMPONENT, answers, body_of
from trust.issuing import opening
from trust.listening.peer import peer
from trust.models.crls import ClientCrl
from trust.wire.messages import Nonce

NONCE_PURPOSE = "est nonce"
BASE64 = {"Content-Transfer-Encoding": "base64"}  # RFC 8951 §3.1: of no meaning, and RFC 7030 clients may look for it


@answers("GET")
def ca_certificates(_request: HttpRequest) -> HttpResponse:
    """§4.1.2 cacerts: the intermediate, the active roots, and the cross-certificates (OldWithNew, NewWithOld)."""
    keys = opening.issuing()
    body = _ca_certificates((keys.client_ca.certificate_der, *keys.roots_der, *keys.crosses_der))
    return HttpResponse(body, content_type=wire.ANSWER_TYPE, headers=BASE64)


@answers("GET")
def attributes(_request: HttpRequest) -> HttpResponse:
    """§4.5.2 csrattrs: which kind of key and signature is best. Others that are strong are accepted as well."""
    return HttpResponse(wire.csrattrs(), content_type=wire.CSRATTRS_TYPE, headers=BASE64)


@answers("POST")
def enrol(request: HttpRequest) -> HttpResponse:
    """§4.2.1 simpleenroll."""
    return _certify(request, must_renew=False)


@answers("POST")
def renew(request: HttpRequest) -> HttpResponse:
    """§4.2.2 simplereenroll. The new key may be the old one; the subject may not differ from the certificate's."""
    return _certify(request, must_renew=True)


@answers("GET")
def make_nonce(_request: HttpRequest) -> HttpResponse:
    """Return what a proof of the last key is made over (docs/client-protocol.md)."""
    made = Nonce(nonce=nonce.make(_nonce_key(), clock.now()), valid_s=int(nonce.VALID.total_seconds()))
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(msgspec.json.encode(made), content_type="application/json", headers=headers)


@answers("GET")
def revocation_list(_request: HttpRequest, key_identifier: str) -> HttpResponse:
    """Return the CRL of an intermediate (RFC 2585 §4.2)."""
    found = ClientCrl.objects.filter(key_identifier=key_identifier).values_list("crl_der", flat=True).first()
    if found is None:
        raise NotFoundError("There is no revocation list of this key.", code="no-crl")
    return HttpResponse(bytes(found), content_type="application/pkix-crl", headers={"Cache-Control": "max-age=300"})


def _certify(request: HttpRequest, *, must_renew: bool) -> HttpResponse:
    body = body_of(request)
    if isinstance(body, HttpResponse):
        return body
    who = peer(request)
    claim = Claim(
        certificate_der=who.certificate_der,
        credential=auth.presented(request.headers.get("Authorization")),
        address=who.address,
        must_renew=must_renew,
        nonce_key=_nonce_key(),
    )
    enrolled = enrolment.enrol(wire.read_request(body), claim, opening.issuing())
    result = f"{enrolled.ground.label}, certificate {enrolled.serial}{'' if enrolled.is_new else ', again'}"
    subject = f"client {enrolled.name} at {who.address}"
    pkilog.write("enrolled", component=COMPONENT, subject=subject, result=result, log=pkilog.Log.TLS)
    return HttpResponse(wire.certs_only(enrolled.certificate_der), content_type=wire.ANSWER_TYPE, headers=BASE64)


@lru_cache(maxsize=2)
def _ca_certificates(certificates_der: tuple[bytes, ...]) -> bytes:
    return wire.certs_only(*certificates_der)


@lru_cache(maxsize=1)
def _nonce_key() -> bytes:
    return opening.pair().derive(NONCE_PURPOSE).reveal_bytes()
