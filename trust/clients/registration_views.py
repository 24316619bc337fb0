"""The protocol's own requests. Machines only; there is no session, no cookie and no form."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from console.lib.errors import NotFoundError, RefusedError
from keys.models.root import Root, RootKind, RootState
from trust.clients import registration
from trust.clients.registration_http import answer, body_of, own_request
from trust.clients.registration_rules import REFUSED_314
from trust.clients.registration_standing import standing
from trust.listening.peer import peer
from trust.questions import answering
from trust.wire.messages import Answer, Registration

CERTIFICATE = "application/pkix-cert"  # RFC 2585 §4.1


@own_request("POST")
def registrations(request: HttpRequest) -> HttpResponse:
    """Take a registration in; the answer brings the documents that the client does not have yet."""
    return answer(registration.register(body_of(request, Registration), peer(request)))


@own_request("POST")
def answers(request: HttpRequest) -> HttpResponse:
    """Take the answer to a question in; the same answer again is the same answer."""
    answering.take(body_of(request, Answer), peer(request))
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@own_request("GET")
def legacy_root(_request: HttpRequest) -> HttpResponse:
    """Hand out the certificate of legacy-root (DER), which Client 7.2 accepts by its public key in keystead.pub."""
    here = standing()
    if not here.flags.enable_314:
        raise RefusedError(REFUSED_314.message, code=REFUSED_314.code)
    root = Root.objects.filter(server=here.server, kind=RootKind.LEGACY, state=RootState.ACTIVE).first()
    if root is None:
        raise NotFoundError("This server has no legacy-root yet.", code="no-legacy-root")
    return HttpResponse(bytes(root.certificate_der), content_type=CERTIFICATE)
