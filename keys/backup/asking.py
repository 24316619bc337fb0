"""Ask for a backup, and give one up. For the web process too: it seals the passphrase in the request."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs import kinds, queue, sweeping
from console.jobs.models import Job, State
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError
from console.lib.secret import Secret
from console.servers.current import current, sealing_public
from keys.actions import Action
from keys.models.backup import Backup, BackupLabel

PURPOSE = "backup-passphrase"
JOB_KIND = "keys.back-up"
MIN_PASSPHRASE = 12  # as for a password of this console; scrypt makes each guess cost 0.4 s and 128 MiB
LOST = "The worker stopped in the middle of the backup. No archive was made."


def check_passphrase(passphrase: Secret) -> None:
    """Raise InvalidError for a passphrase that is too short."""
    if len(passphrase.reveal_text()) < MIN_PASSPHRASE:
        raise InvalidError(f"Use at least {MIN_PASSPHRASE} characters.", field="passphrase", code="short-passphrase")


@transaction.atomic
def request(label: str, passphrase: Secret, *, actor: Actor) -> Backup:
    """Write down that a backup is wanted and put it into the queue of this server."""
    check_passphrase(passphrase)
    backup = _row(label, actor)
    backup.sealed_passphrase = sealing_public().seal(passphrase.reveal_bytes(), purpose=PURPOSE, row_id=str(backup.pk))
    backup.save(force_insert=True)
    queue.enqueue(kinds.get(JOB_KIND), subject=backup.subject, actor=actor)
    log.append(Action.BACKUP_REQUESTED, backup.subject, actor=actor, outcome=Outcome.REQUESTED)
    return backup


@transaction.atomic
def begin(label: str, *, actor: Actor) -> Backup:
    """Write down a backup that is made at once, without a job."""
    backup = _row(label, actor)
    backup.save(force_insert=True)
    log.append(Action.BACKUP_REQUESTED, backup.subject, actor=actor, outcome=Outcome.REQUESTED)
    return backup


def give_up(backup_id: str, problem: str) -> None:
    """Write down why there will be no archive, and forget the passphrase."""
    Backup.objects.filter(pk=backup_id, finished_at=None).update(problem=problem, sealed_passphrase=None)


def cancelled(job: Job, _actor: Actor) -> None:
    """Follow the cancelling of the job, in its transaction."""
    give_up(job.subject_id, "Cancelled.")


def lost(job: Job) -> None:
    """Settle the job of a worker that is gone: a half-written archive has no name, so there is none."""
    give_up(job.subject_id, LOST)
    finished = Backup.objects.filter(pk=job.subject_id, finished_at__isnull=False).exists()
    sweeping.resolve_unknown(job, State.SUCCEEDED if finished else State.FAILED, "" if finished else LOST)


def latest(label: str | None = None) -> Backup | None:
    """Return the last backup of this server that was made, of one label if given."""
    made = Backup.objects.filter(server=current(), finished_at__isnull=False)
    return (made.filter(label=label) if label else made).order_by("-finished_at").first()


def _row(label: str, actor: Actor) -> Backup:
    if label not in BackupLabel.values:
        raise InvalidError(f"“{label}” is no label of a backup.", field="label")
    return Backup(server=current(), label=label, asked_by=actor.name, asked_at=clock.now())
