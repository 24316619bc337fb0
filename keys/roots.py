"""Ask for a root key. The worker makes it (`keys.creation`)."""

import secrets
import uuid

from django.db import IntegrityError, transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.servers.current import current
from console.servers.models import Server
from keys.actions import Action
from keys.errors import CreationConflictError, KeyNotFoundError
from keys.jobs import CREATE_ROOT
from keys.models.keypair import KEY_ID_BYTES
from keys.models.root import IN_FLIGHT, Root, RootCounter, RootKind


def find(root_id: uuid.UUID | str) -> Root:
    """Return a root by its id; raises KeyNotFoundError."""
    root = Root.objects.select_related("server", "binding").filter(pk=root_id).first()
    if root is None:
        raise KeyNotFoundError("There is no such root key.")
    return root


def newest(server: Server) -> Root | None:
    """Return the active root of a server with the highest number."""
    return Root.objects.numbered(server).select_related("server", "binding").first()


def request(*, actor: Actor, form_token: uuid.UUID, in_doubt: bool = False) -> tuple[Root, Job]:
    """Write the intention to make the next root of this server, and queue the work.

    `form_token` belongs to one showing of the form: a double click or a resubmit meets its first use. Raises
    CreationConflictError for that, and while another creation of this server is under way.
    """
    server = current()
    try:
        with transaction.atomic():
            _check_free(server, form_token)
            root = intend(server, actor=actor, form_token=form_token, in_doubt=in_doubt)
            job = queue.enqueue(CREATE_ROOT, subject=root.subject, actor=actor, server=server)
            details = {"older roots in doubt": in_doubt, "key id": root.cka_id.hex(), "job": str(job.id)}
            log.append(Action.ROOT_REQUESTED, root.subject, actor=actor, outcome=Outcome.REQUESTED, details=details)
    except IntegrityError as error:
        raise _in_flight() from error
    except CreationConflictError as error:
        log.refuse(Action.ROOT_REQUESTED, server.subject, actor=actor, details={"reason": error.message})
        raise
    return root, job


def intend(
    server: Server,
    *,
    actor: Actor,
    kind: RootKind = RootKind.ROOT,
    form_token: uuid.UUID | None = None,
    in_doubt: bool = False,
) -> Root:
    """Write the row of a root that does not exist yet, inside the caller's transaction. A number is never reused."""
    number = RootCounter.lock(server).take_number() if kind == RootKind.ROOT else None
    return Root.objects.create(
        server=server,
        kind=kind,
        number=number,
        name=f"{server.fqdn} Root {number}" if number is not None else "legacy-root",
        key_id=secrets.token_bytes(KEY_ID_BYTES),
        in_doubt=in_doubt,
        form_token=form_token,
        requested_by=actor.name or actor.planned_by,
        requested_by_id=actor.id,
        created_at=clock.now(),
    )


def _check_free(server: Server, form_token: uuid.UUID) -> None:
    RootCounter.lock(server)
    used = Root.objects.filter(form_token=form_token).first()
    if used:
        raise CreationConflictError(
            f"This form was sent before; {used.name} came of it. No second key was requested.",
            next_step="Open Current Server again to create another key.",
        )
    if Root.objects.filter(server=server, kind=RootKind.ROOT, state__in=IN_FLIGHT).exists():
        raise _in_flight()


def _in_flight() -> CreationConflictError:
    return CreationConflictError(
        "Another root key of this server is being created right now. No second key was requested.",
        next_step="Wait until it is active, and look at Current Server again.",
    )
