"""Register a client: who it is, whether that is allowed, and what of it is new (TLS-14 to TLS-19, CLI-04).

A client that shows a certificate is the row of that name which proved a key. Everything else is a row of its own, so
that it never changes the row of one that proves who it is.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from console.lib import clock
from console.lib.errors import InvalidError, RefusedError
from console.servers.models import Server
from trust.clients import handing_out, newcomers
from trust.clients.changes import CHANGES
from trust.clients.identity import identify
from trust.clients.pace import PACE
from trust.clients.registration_errors import CLIENT_REVOKED, ReplayedError
from trust.clients.registration_rules import refusal
from trust.clients.registration_standing import standing
from trust.clients.sightings import SIGHTINGS
from trust.clients.status import CONNECTED
from trust.clients.told import NO_ROOTS, SHOWN, Told, digest, stored
from trust.listening.peer import Peer
from trust.models.certificates import Certificate
from trust.models.clients import Client, ClientState, RegistrationChange
from trust.wire.messages import HIGHEST_COUNTER, Registered, Registration
from trust.wire.names import client_name

KEPT_CHANGES = 50


@dataclass(frozen=True)
class _Row:
    """The client, and the certificate that it showed."""

    client: Client
    certificate: Certificate | None


def register(asked: Registration, peer: Peer) -> Registered:
    """Take a registration in, and return the answer to it.

    Whatever is new is stored before this returns, within limits (`trust.clients.changes`); that the client is there,
    soon after. Raises RefusedError for what the settings or the certificate do not allow, ReplayedError, InvalidError.
    """
    now, here = clock.now(), standing()
    name = client_name(asked.name)
    certified = peer.certificate_der is not None
    if reason := refusal(here.flags, asked.protocol, using_tls=peer.is_tls, certified=certified):
        raise RefusedError(reason.message, code=reason.code)
    row = _row(name, peer, now)
    told = _told(asked, peer, here.server, row.certificate if row else None)
    if row is None:
        client = _first(name, asked, told, now)
    else:
        client = row.client
        _again(client, asked, told, now)
    return Registered(
        registered_as=str(client.pk),
        authenticated=client.authenticated,
        server=here.server.fqdn,
        server_time=now,
        next_s=PACE.next_s(secrets.randbelow),
        move_within_s=handing_out.general(here.server).move_within_s,
        documents=handing_out.newer_than(asked, client, here.server, now),
    )


def _row(name: str, peer: Peer, now: datetime) -> _Row | None:
    """Return the row that this registration belongs to, or None for a name that registers for the first time."""
    if peer.certificate_der is not None:
        certificate = identify(peer.certificate_der, now)
        if certificate.client.name != name:
            raise RefusedError("The certificate is for another name. Nothing was changed.", code="wrong-name")
        return _Row(certificate.client, certificate)
    named = list(Client.objects.select_related("holding").filter(name=name))
    # Also the row of that name which proved a key: its name does not come back by proving none.
    if any(one.state == ClientState.REVOKED for one in named):
        raise RefusedError("This client was revoked on this server.", code=CLIENT_REVOKED)
    client = next((one for one in named if not one.authenticated), None)
    if client is None:
        newcomers.check(name, peer.address)
    return _Row(client, None) if client else None


def _told(asked: Registration, peer: Peer, server: Server, certificate: Certificate | None) -> Told:
    return Told(
        server_id=server.pk,
        protocol=asked.protocol,
        version=_printable(asked.version),
        using_tls=peer.is_tls,
        tls_mode=asked.tls_mode,
        registered_with=server.fqdn,
        address=peer.address,
        roots=digest(asked.roots) if asked.roots else NO_ROOTS,
        root_id=certificate.issuer.root_id if certificate else None,
        certificate_until=certificate.not_after if certificate else None,
    )


def _printable(version: str) -> str:
    if not version.isprintable():
        raise InvalidError("The version holds characters that cannot be shown.", code="bad-body")
    return version


@transaction.atomic
def _first(name: str, asked: Registration, told: Told, now: datetime) -> Client:
    """Make the row of a name that proves nothing; raises ReplayedError when another request made it meanwhile."""
    holding = stored(asked.roots)
    try:
        with transaction.atomic():
            client = Client.objects.create(
                name=name,
                authenticated=False,
                created_at=now,
                counter=min(asked.counter, HIGHEST_COUNTER),
                last_seen=now,
                back_at=now,
                holding=holding,
                **told.columns(),
            )
    except IntegrityError as error:
        raise ReplayedError(asked.counter) from error
    _remember(client, told, holding_id=holding.pk if holding else None, now=now)
    return client


def _again(client: Client, asked: Registration, told: Told, now: datetime) -> None:
    news = told.is_new(client)
    if not ((news or asked.full) and CHANGES.may_write(client, told.address)):
        SIGHTINGS.note(client, asked.counter, now)
        return
    SIGHTINGS.check(client, asked.counter)
    _write(client, asked, told, now, news=news)
    SIGHTINGS.written(client, asked.counter, now)


@transaction.atomic
def _write(client: Client, asked: Registration, told: Told, now: datetime, *, news: bool) -> None:
    """Store what is new, unless a registration with a higher counter was stored meanwhile, wherever that was."""
    holding = stored(asked.roots) if news else client.holding
    values = told.columns() | {"holding": holding, "last_seen": now, "counter": min(asked.counter, HIGHEST_COUNTER)}
    if abs(now - client.last_seen) > CONNECTED:
        values["back_at"] = now
    if not Client.objects.filter(pk=client.pk, counter__lt=asked.counter).update(**values):
        raise ReplayedError(Client.objects.values_list("counter", flat=True).get(pk=client.pk))
    if _is_shown(client, told):
        _remember(client, told, holding_id=holding.pk if holding else None, now=now)


def _is_shown(client: Client, told: Told) -> bool:
    differs = any(getattr(client, name) != getattr(told, name) for name in SHOWN)
    return differs or told.roots != (client.holding.digest if client.holding else NO_ROOTS)


def _remember(client: Client, told: Told, *, holding_id: int | None, now: datetime) -> None:
    """Add to the client's history, and drop what is older than the latest KEPT_CHANGES."""
    shown = {name: getattr(told, name) for name in SHOWN}
    RegistrationChange.objects.create(client=client, at=now, holding_id=holding_id, **shown)
    history = RegistrationChange.objects.filter(client=client).order_by("-at", "-id")
    if old := list(history.values_list("pk", flat=True)[KEPT_CHANGES:]):
        RegistrationChange.objects.filter(pk__in=old).delete()
