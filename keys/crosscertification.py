"""Have the active roots of a server certify each other, in the worker.

Can begin again at any point: a pair that stands is left alone, and a certificate that was signed but not stored is
signed anew with another serial.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.servers.models import Server
from keys import cross, issuance, pkirecord, saga, stores, succession
from keys.actions import Action
from keys.issuance import PreparedCertificate
from keys.models.root import Root, RootState
from keys.models.statements import CrossCertificate

Progress = Callable[[int, int, str], None]


def complete(server: Server, *, actor: Actor, progress: Progress) -> int:
    """Make every cross-certificate that is missing among the active roots; return how many were made.

    Raises WaitingError when a root's device cannot sign; what was made until then stays.
    """
    made = list(
        Root.objects.filter(server=server, state__in=(RootState.ACTIVE, RootState.REVOKED)).select_related(
            "server", "binding"
        )
    )
    missing = _missing(made, server)
    for done, (issuer, subject) in enumerate(missing):
        progress(done, len(missing), f"{issuer.short_name} certifies {subject.short_name}.")
        _certify(issuer, subject, actor)
    return len(missing)


def _missing(made: list[Root], server: Server) -> list[tuple[Root, Root]]:
    stand = set(CrossCertificate.objects.filter(issuer__server=server).values_list("issuer_id", "subject_id"))
    wanted = [both for older, newer in succession.pairs(made, made) for both in ((newer, older), (older, newer))]
    return [pair for pair in wanted if (pair[0].pk, pair[1].pk) not in stand]


def _certify(issuer: Root, subject: Root, actor: Actor) -> None:
    prepared = _prepare(issuer, subject, clock.now())
    try:
        with stores.open_signer(issuer) as signer:
            certificate_der = issuance.issue(prepared, signer)
    except saga.FAULTS as fault:
        raise saga.later(fault, f"{issuer.name} could not certify {subject.name} yet.") from fault
    with transaction.atomic():
        _, created = CrossCertificate.objects.get_or_create(
            issuer=issuer,
            subject=subject,
            defaults={
                "serial": f"{prepared.serial:x}",
                "certificate_der": certificate_der,
                "created_at": clock.now(),
            },
        )
        if created:
            details = {"signed by": issuer.name, "serial": f"{prepared.serial:x}"}
            pkirecord.after_commit("cross-certified", subject, detail=f"signed by {issuer.name}")
            log.append(Action.ROOT_CROSS_CERTIFIED, subject.subject, actor=actor, details=details)


def _prepare(issuer: Root, subject: Root, now: datetime) -> PreparedCertificate:
    issuer_der, subject_der = bytes(issuer.certificate_der), bytes(subject.certificate_der)
    if (issuer.number or 0) > (subject.number or 0):
        return cross.old_with_new(subject_der, issuer_der, now=now)
    return cross.new_with_old(subject_der, issuer_der, now=now)
