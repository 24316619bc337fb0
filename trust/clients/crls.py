"""The revocation lists of the intermediates that sign clients' certificates, in the worker.

Complete lists (RFC 5280 §5), one for each intermediate that still has its key: also below a root that was revoked,
until the last certificate of the intermediate has ended.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from django.db import transaction
from django.db.models import QuerySet

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys import crl, stores
from keys.crl import Revoked
from keys.models.subordinate import ISSUED, Subordinate
from keys.purposes import Purpose
from trust.actions import Action
from trust.clients import revoking
from trust.errors import OutdatedError
from trust.models.certificates import Certificate
from trust.models.crls import ClientCrl

ANEW = timedelta(days=1)
VALID = timedelta(days=7)
# RFC 5280 §3.3: an entry stays until it was on a list that was signed after its certificate had ended.
LISTED_ON = 2 * ANEW


def start_due(server: Server) -> str:
    """Queue the signing when a list is missing, a day old, or does not hold what is revoked; return what was done."""
    if not any(_is_due(issuer, clock.now()) for issuer in _issuers(server)):
        return "Every revocation list is up to date."
    revoking.start(server, actor=Actor.system())
    return "Revocation lists are being signed."


def sign_due(server: Server, *, actor: Actor) -> int:
    """Sign the lists that are due and return how many. Raises ConsoleError or DeviceError; then the rest is left."""
    now = clock.now()
    due = [issuer for issuer in _issuers(server) if _is_due(issuer, now)]
    for issuer in due:
        _sign(issuer, now, actor)
    return len(due)


def _issuers(server: Server) -> Iterable[Subordinate]:
    held = Subordinate.objects.filter(
        server=server,
        purpose=Purpose.CLIENT_TLS_CA,
        holder=server.fqdn,
        state__in=ISSUED,
        destroyed_at=None,
        not_after__gt=clock.now(),
    )
    return held.select_related("binding", "client_crl").order_by("created_at")


def _is_due(issuer: Subordinate, now: datetime) -> bool:
    last = _last(issuer)
    if last is None or last.signed_at <= now - ANEW:
        return True
    # The number alone would miss one that came while another one, long ended, went.
    revoked = _revoked(issuer, now)
    return last.entries != revoked.count() or revoked.filter(revoked_at__gt=last.signed_at).exists()


def _last(issuer: Subordinate) -> ClientCrl | None:
    last: ClientCrl | None = getattr(issuer, "client_crl", None)
    return last


def _revoked(issuer: Subordinate, now: datetime) -> "QuerySet[Certificate]":
    return Certificate.objects.filter(issuer=issuer, revoked_at__isnull=False, not_after__gt=now - LISTED_ON)


def _sign(issuer: Subordinate, now: datetime, actor: Actor) -> None:
    last = _last(issuer)
    number = last.number + 1 if last else 1
    revoked = _revoked(issuer, now).order_by("id").values_list("serial", "revoked_at")
    entries = [Revoked(int(serial, 16), at) for serial, at in revoked if at is not None]
    issuer_der = bytes(issuer.certificate_der)
    prepared = crl.prepare(issuer_der, entries, number=number, now=now, next_update=now + VALID)
    with stores.open_signer(issuer) as signer:
        columns = {
            "number": number,
            "crl_der": crl.issue(prepared, signer),
            "entries": len(entries),
            "signed_at": now,
            "next_update": now + VALID,
        }
    _store(issuer, number, columns, actor)


@transaction.atomic
def _store(issuer: Subordinate, number: int, columns: dict[str, object], actor: Actor) -> None:
    if number == 1:
        ClientCrl.objects.create(issuer=issuer, key_identifier=_key_identifier(issuer), **columns)
    elif not ClientCrl.objects.filter(issuer=issuer, number=number - 1).update(**columns):
        raise OutdatedError("Another job signed this revocation list meanwhile. This one was thrown away.")
    details = {"number": number, "entries": columns["entries"]}
    log.append(Action.CLIENT_CRL_SIGNED, issuer.subject, actor=actor, details=details)


def _key_identifier(issuer: Subordinate) -> str:
    certificate = x509.load_der_x509_certificate(bytes(issuer.certificate_der))
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
