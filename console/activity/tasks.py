"""Celery tasks of the activity log."""

from django.db import transaction

from console import pkilog
from console.activity import export, heads, log, verification
from console.activity.actions import Action
from console.activity.jobs import EXPORT, TIDY_EXPORTS, VERIFY
from console.activity.models import Outcome
from console.activity.queries import Wanted
from console.activity.verification import Report, Verdict
from console.jobs import exports
from console.jobs.models import Job
from console.jobs.running import Run, job_task
from console.lib.errors import ConsoleError, RefusedError

NEXT_STEP = {
    Verdict.ALTERED: "Keep the database and the log folder as they are. Compare with a backup from before the entry.",
    Verdict.WEAKENED: "Entries hold, but their proof is damaged. Find out who can write to the log folder.",
}


@job_task(VERIFY)
def verify(run: Run) -> str:
    """Verify the whole log; a log that does not hold fails the job, so that nobody overlooks it."""
    try:
        trusted, unread = verification.trusted_keys(), ""
    except ConsoleError as error:
        trusted, unread = set(), f"The log keys of this server cannot be read: {error.message}"
    report = verification.verify(trusted, lambda done, total: run.progress(done, total, "Checking entries"))
    if unread:
        report.weaknesses.insert(0, unread)
    _record(run, report)
    if report.verdict is not Verdict.INTACT:
        text = report.what or report.weaknesses[0]
        raise RefusedError(text, code=report.verdict.upper(), next_step=NEXT_STEP[report.verdict])
    return verification.summary(report)


def _record(run: Run, report: Report) -> None:
    run.result = report.as_json()
    run.progress(report.entries, report.entries, "Writing down what was found")
    holds = report.verdict is Verdict.INTACT
    with transaction.atomic():
        log.append(
            Action.VERIFIED,
            heads.LOG,
            actor=run.actor,
            outcome=Outcome.SUCCEEDED if holds else Outcome.FAILED,
            details=run.result,
        )
    level = pkilog.Level.INFO if holds else pkilog.Level.ERROR
    pkilog.write("log-verified", component="activity", subject="activity log", result=report.verdict, level=level)


@job_task(EXPORT.kind)
def export_csv(run: Run) -> str:
    """Write the wanted entries to a file that the page of exports offers."""
    return EXPORT.write(run, export.COLUMNS, export.rows(Wanted.from_params(run.job.params).entries()))


@job_task(TIDY_EXPORTS)
def tidy_exports(_run: Run) -> str:
    """Delete the files whose job was deleted."""
    files = exports.files()
    kept = set(Job.objects.filter(pk__in=files).values_list("pk", flat=True))
    gone = [path for job_id, path in files.items() if job_id not in kept]
    for path in gone:
        path.unlink(missing_ok=True)
    return f"{len(gone)} files deleted."
