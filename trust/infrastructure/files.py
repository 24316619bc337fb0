"""keystead-init.dat on its way: asked for, made by the worker, fetched once by the browser that asked."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from console.accounts.models import User
from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError, RefusedError, UnavailableError
from console.lib.pair import Pair
from console.lib.sealing import SealingPublic
from console.lib.secret import Secret
from console.servers.current import current
from trust.actions import Action
from trust.errors import InitFileNotFoundError
from trust.infrastructure import credentials, servernames
from trust.infrastructure.credentials import Limits
from trust.jobs import MAKE_INIT_FILE
from trust.models.initfiles import UNDER_WAY, InitFile, InitFileState

LIFE = timedelta(minutes=10)
PURPOSE = "init-file"
AGAIN = "Download a new file: each has a credential of its own."


@dataclass(frozen=True)
class Wanted:
    """What a form asked for. `token` belongs to one showing of it; `server_names` comes from `servernames.parse`."""

    token: uuid.UUID
    limits: Limits
    server_names: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """What is preconfigured in the file."""
        return {servernames.SETTING: self.server_names} if self.server_names else {}


@transaction.atomic
def request(wanted: Wanted, user: User) -> tuple[InitFile, Secret | None]:
    """Ask the worker for a file; return it with the private half that its browser alone is to keep.

    The half is None when this form was sent before: who sent it first has it.
    """
    before = InitFile.objects.filter(pk=wanted.token).first()
    if before is not None:
        return _own(before, user), None
    pair = Pair.generate()
    credential = credentials.intend(current(), wanted.limits, actor=user.actor)
    file = InitFile.objects.create(
        id=wanted.token,
        credential=credential,
        asked_by_id=str(user.pk),
        public_key=pair.public.raw,
        settings=wanted.settings,
        expires_at=clock.now() + LIFE,
    )
    job = queue.enqueue(MAKE_INIT_FILE, subject=credential.subject, actor=user.actor)
    told = {**credentials.details(credential), **wanted.settings, "job": str(job.id)}
    log.append(
        Action.INIT_FILE_REQUESTED, credential.subject, actor=user.actor, outcome=Outcome.REQUESTED, details=told
    )
    return file, pair.secret


def find(file_id: uuid.UUID, user: User) -> InitFile:
    """Return a file that this user asked for; raises InitFileNotFoundError."""
    file = InitFile.objects.select_related("credential__server").filter(pk=file_id).first()
    if file is None:
        raise InitFileNotFoundError("There is no such download.", next_step=AGAIN)
    return _own(file, user)


def job_of(file: InitFile) -> Job | None:
    """Return the job that makes, or made, the file."""
    jobs = Job.objects.filter(kind_name=MAKE_INIT_FILE.name, subject_id=str(file.credential_id))
    return jobs.order_by("-created_at").first()


def deliver(file: InitFile, secret_sha256: str, content: Secret) -> None:
    """Keep a finished file for its browser; raises ConflictError when nobody waits for it any more."""
    sealed = SealingPublic(bytes(file.public_key)).seal(content.reveal_bytes(), purpose=PURPOSE, row_id=str(file.pk))
    waits = InitFile.objects.filter(pk=file.pk, state=InitFileState.PREPARING, expires_at__gt=clock.now())
    with transaction.atomic():
        if not waits.update(state=InitFileState.READY, sealed=sealed):
            raise ConflictError("Nobody waits for this file any more. It was thrown away.")
        type(file.credential).objects.filter(pk=file.credential_id).update(secret_sha256=secret_sha256)


def fetch(file: InitFile, key: bytes, *, actor: Actor) -> bytes:
    """Return the file, once; `key` is the private half from the cookie.

    Raises RefusedError for another browser's, ConflictError when it is not there to be fetched: a try with a wrong half
    takes nothing away.
    """
    now = clock.now()
    if file.is_over(now) or file.state != InitFileState.READY or file.sealed is None:
        raise ConflictError(why_not(file, now), next_step=AGAIN)
    try:
        content = Pair.from_secret(key).open(bytes(file.sealed), purpose=PURPOSE, row_id=str(file.pk))
    except UnavailableError as error:
        raise RefusedError(
            "Only the browser that asked for this file can open it, and this is another one. Nothing was handed out.",
            next_step=f"Go back to that browser, or withdraw the credential. {AGAIN}",
        ) from error
    with transaction.atomic():
        waits = InitFile.objects.filter(pk=file.pk, state=InitFileState.READY)
        if not waits.update(state=InitFileState.HANDED_OUT, sealed=None, handed_out_at=now):
            file.refresh_from_db()
            raise ConflictError(why_not(file, now), next_step=AGAIN)
        told = {**credentials.details(file.credential), **file.settings}
        log.append(Action.INIT_FILE_DOWNLOADED, file.credential.subject, actor=actor, details=told)
    return content.reveal_bytes()


def why_not(file: InitFile, now: datetime) -> str:
    """Say why there is nothing to fetch."""
    if file.state == InitFileState.HANDED_OUT:
        return "This file was handed out already, and is kept nowhere. It is not handed out twice."
    if file.state == InitFileState.FAILED:
        return "This file could not be made. Nothing was handed out, and its credential is withdrawn."
    if file.state == InitFileState.WITHDRAWN:
        return "The credential of this file was withdrawn before it was fetched. Nothing was handed out."
    if file.is_over(now):
        return "This file was not fetched within ten minutes. It is deleted, and its credential enrols nobody."
    return "This file is not ready yet."


def give_up(file: InitFile, reason: str, *, actor: Actor) -> None:
    """Withdraw the credential of a file that could not be made."""
    with transaction.atomic():
        credential = file.credential
        if credentials.end(credential, clock.now(), by=actor.name, file=InitFileState.FAILED):
            told = {**credentials.details(credential), "reason": reason}
            log.append(Action.INIT_FILE_FAILED, credential.subject, actor=actor, outcome=Outcome.FAILED, details=told)


def expire(now: datetime) -> int:
    """Delete files that nobody fetched in time, and withdraw their credentials; return how many."""
    late = InitFile.objects.select_related("credential").filter(state__in=UNDER_WAY, expires_at__lte=now)
    for file in late:
        with transaction.atomic():
            credential = file.credential
            if credentials.end(credential, now, by="scheduler", file=InitFileState.EXPIRED):
                log.append(
                    Action.INIT_FILE_EXPIRED,
                    credential.subject,
                    actor=Actor.system(),
                    details=credentials.details(credential),
                )
    return len(late)


def _own(file: InitFile, user: User) -> InitFile:
    if file.asked_by_id != str(user.pk):
        raise RefusedError(
            "This file is made for another user, who asked for it. Nothing was handed out.", next_step=AGAIN
        )
    return file
