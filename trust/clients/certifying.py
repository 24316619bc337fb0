"""Sign one certificate for a client and store it, with everything that follows from it, in one transaction.

No certificate leaves this module that is not committed. What was signed and could not be stored is thrown away.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from console.lib.errors import UnavailableError
from keys import validity
from keys.models.subordinate import Subordinate
from keys.validity import Period
from trust.clients import readmission, storing, template
from trust.clients.est.wire import CertificateRequest
from trust.clients.policy import Policy
from trust.clients.readmission import Admission
from trust.clients.storing import Newcomer
from trust.clients.template import Variable
from trust.errors import OvertakenError
from trust.issuing.contents import IssuingKey
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client, ClientState, PendingEnrolment, Protocol

NEEDED_STEP = timedelta(hours=6)
"""How far ahead an intermediate's end of need is written, so that it is not written with each certificate."""


@dataclass(frozen=True)
class Order:
    """What is to be certified, and on which ground. `digest` is what the row is unique by (`trust.clients.answered`).

    `credential_id`: the name is not known, and gets a row with `client_id`; that credential counts one use more.
    `admission`: the forgotten certificate by which the client comes back.
    """

    request: CertificateRequest
    rules: Policy
    key: IssuingKey
    now: datetime
    ground: Ground
    client_id: UUID
    digest: str
    credential_id: UUID | None = None
    address: str = ""
    admission: Admission | None = None


@dataclass(frozen=True)
class Certified:
    """A certificate that is stored."""

    der: bytes
    serial: str
    ground: Ground


def certify(order: Order) -> Certified:
    """Sign, store, and return the certificate.

    Raises OvertakenError and IntegrityError (what the ground stands on changed meanwhile, or the same name or request
    was stored: look again), and UnavailableError (the intermediate is not in use any more).
    """
    period = _period(order)
    _keep_issuer(order.rules, order.key, period.not_after)
    variable = Variable(template.new_serial(), period, order.request.name, order.request.spki_der)
    der = template.make(order.key.certificate_der).issue(variable, order.key.private_key)
    row = _row(order, variable, der)
    if order.credential_id is not None:
        storing.store_first(Newcomer(order.credential_id, _client(order, period.not_after), row, order.now))
    else:
        with transaction.atomic():
            _move(order, period.not_after)
            Certificate.objects.create(**row)
            if order.admission is not None:
                readmission.use(order.admission, order.client_id, order.request.fingerprint, order.address, order.now)
    return Certified(der, str(row["serial"]), order.ground)


def _row(order: Order, variable: Variable, der: bytes) -> dict[str, Any]:
    return {
        "client_id": order.client_id,
        "issuer_id": order.key.id,
        "ground": str(order.ground),
        "request_sha256": order.digest,
        "serial": f"{variable.serial:x}",
        "spki_fingerprint": order.request.fingerprint,
        "spki_der": order.request.spki_der,
        "der": der,
        "not_before": variable.period.not_before,
        "not_after": variable.period.not_after,
        "issued_at": order.now,
    }


def _period(order: Order) -> Period:
    """Return the period by the settings, within the intermediate's (`keys.validity`)."""
    if not order.rules.issuer_is_active:
        raise UnavailableError("The intermediate key was just replaced. Try again in a moment.", code="issuer-replaced")
    issuer = order.key.certificate
    period = validity.period(
        order.now,
        hours=order.rules.hours,
        issuer_not_before=issuer.not_valid_before_utc,
        issuer_not_after=issuer.not_valid_after_utc,
    )
    if period.not_after <= order.now:
        raise UnavailableError("The intermediate key has expired. Try again in a moment.", code="issuer-expired")
    return period


def _keep_issuer(rules: Policy, key: IssuingKey, until: datetime) -> None:
    """See that the intermediate's key is kept for its revocation lists until this certificate ends."""
    if rules.issuer_needed_until is not None and until <= rules.issuer_needed_until:
        return
    ahead = min(until + NEEDED_STEP, key.certificate.not_valid_after_utc)
    later = Q(needed_until__isnull=True) | Q(needed_until__lt=until)
    Subordinate.objects.filter(later, pk=key.id).update(needed_until=ahead)


def _client(order: Order, until: datetime) -> dict[str, object]:
    return {
        "id": order.client_id,
        "server_id": order.rules.server.pk,
        "name": order.request.name,
        "authenticated": True,
        "protocol": int(Protocol.P315),
        "address": order.address,
        "created_at": order.now,
        "root_id": order.rules.root_id,
        "certificate_until": until,
        "credential_id": order.credential_id,
    }


def _move(order: Order, until: datetime) -> None:
    """Write what a new certificate changes in its client's row, and take that row's lock before the certificate's.

    `trust.clients.revoking` takes it too: so no certificate slips in behind a revocation.
    """
    rows = Client.objects.filter(pk=order.client_id, state=ClientState.ACTIVE)
    changes: dict[str, object] = {"root_id": order.rules.root_id, "certificate_until": until}
    if order.ground is Ground.ALLOWED:
        rows = rows.filter(reenrol_until__gt=order.now, reenrol_key__in=("", order.request.fingerprint))
        changes |= {"reenrol_until": None, "reenrol_key": ""}
    if not rows.update(**changes):
        raise OvertakenError("The client was revoked, or its permission to enrol was used up, meanwhile.")
    if order.ground is Ground.ALLOWED:
        PendingEnrolment.objects.filter(client_id=order.client_id).delete()
    elif order.ground is Ground.READMITTED:
        # Its own key may wait since before the decision; another one is still somebody's to look at.
        PendingEnrolment.objects.filter(client_id=order.client_id, spki_fingerprint=order.request.fingerprint).delete()
