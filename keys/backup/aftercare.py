"""After a restore: what holds, and what the administrator still has to see to."""

from collections.abc import Iterator
from datetime import datetime

from console.activity import heads, verification
from console.activity.verification import Verdict
from console.jobs.models import WAITING, Job
from console.servers.current import current
from hsm.device.errors import DeviceError
from hsm.models.tokens import TokenBinding
from keys import logkey
from keys.backup import memories
from keys.keystore import open_local_store
from keys.models.root import Root
from keys.models.subordinate import Subordinate


def findings(made_at: datetime) -> Iterator[str]:
    """Yield sentences about the activity log, the key store, tokens that must be there, and jobs that will run.

    Then about what happened after the backup was made, and is forgotten (`keys.backup.memories`).
    """
    yield _activity_log()
    yield _key_store()
    yield from _tokens()
    yield from _jobs()
    yield from memories.missing(made_at)


def _activity_log() -> str:
    heads.register_log_keys(logkey.public_keys)
    report = verification.verify(set(heads.trusted_keys()))
    if report.verdict is Verdict.ALTERED:
        return f"The activity log does NOT verify: entry {report.first_bad} is bad ({report.what})."
    if report.verdict is Verdict.WEAKENED:
        return f"The activity log verifies, {report.entries:,} entries, but: {' '.join(report.weaknesses)}"
    return f"The activity log verifies: {report.entries:,} entries, signed up to {report.proven_to:,}."


def _key_store() -> str:
    try:
        with open_local_store() as store:
            store.check_opens()
    except DeviceError as error:
        return f"pki.db does not open: {error.message} {error.next_step}"
    return "pki.db opens."


def _tokens() -> Iterator[str]:
    for binding in TokenBinding.objects.filter(server=current(), forgotten_at=None):
        keys = [
            key.name
            for model in (Root, Subordinate)
            for key in model._base_manager.filter(binding=binding, destroyed_at=None)
        ]
        if keys:
            yield f"Needs the HSM token {binding.label} by the module {binding.module_path}: {', '.join(keys)}."


def _jobs() -> Iterator[str]:
    for job in Job.objects.filter(server=current(), state__in=WAITING, every_s=0).order_by("due_at"):
        when = f"{job.due_at:%d %b %Y, %H:%M} UTC"
        yield f"Will run when the console runs and it is {when}: {job.kind.label}, {job.subject_label}."
