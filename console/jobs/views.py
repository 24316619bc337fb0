"""Background Jobs: the list, one job, its card, and what may be done with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HTMX_STOP_POLLING

from console.accounts.asking import actor_of, user_of
from console.accounts.models import User
from console.activity.models import Entry
from console.jobs import listing, queue, seeing
from console.jobs.acts import acts
from console.jobs.card import Watch
from console.jobs.card import card as card_of
from console.jobs.forms import JobFilter, RescheduleForm
from console.jobs.models import Job
from console.lib import clock, htmx, keyset
from console.lib.access import access
from console.lib.actor import Actor
from console.lib.capability import Capability
from console.lib.errors import NotFoundError, RefusedError
from console.lib.passive import passive

MOST_ENTRIES = 100
AROUND = timedelta(seconds=1)


@access(Capability.READ)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show the grid of a tab, or only the grid for a fragment request."""
    template = "jobs/list.html#grid" if htmx.wants_fragment(request) else "jobs/list.html"
    return render(request, template, _grid(request))


@access(Capability.READ)
@passive
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """Answer the page that asks again by itself."""
    return render(request, "jobs/list.html#grid", _grid(request))


def _grid(request: HttpRequest) -> dict[str, Any]:
    shown = listing.tab(request.GET.get("tab"))
    form = JobFilter(request.GET)
    cursor = request.GET.get("at", "")
    page = keyset.page(form.narrow(listing.jobs_of(shown)), sort=shown.sort, cursor=cursor)
    now = clock.now()
    return {
        "tabs": listing.TABS,
        "tab": shown,
        "form": form,
        "page": page,
        "rows": [listing.row(job, now) for job in page.rows],
        "live": shown.live and not cursor,
        "failing": listing.failing_housekeeping(),
    }


@access(Capability.READ)
@require_safe
def housekeeping(request: HttpRequest) -> HttpResponse:
    """Show the work that comes back by itself: one row each, with its last run."""
    context = {"tabs": listing.TABS, "tab": None, "rows": listing.housekeeping(clock.now())}
    return render(request, "jobs/housekeeping.html", context | {"failing": listing.failing_housekeeping()})


@access(Capability.SIGNED_IN)
@require_safe
def detail(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show one job, and to who may read its log entries."""
    user = user_of(request)
    job = _load_for(user, job_id)
    may_read = user.may(Capability.READ)
    context = {
        "job": job,
        "shown": listing.row(job, clock.now()),
        "acts": acts(job) if user.may(Capability.MANAGE_JOBS) else [],
        "may_change": user.may(Capability.MANAGE_JOBS),
        "may_read": may_read,
        "entries": _entries(job)[:MOST_ENTRIES] if may_read else [],
    }
    return render(request, "jobs/detail.html", context)


@access(Capability.SIGNED_IN)
@passive
@require_safe
def card(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Answer one poll: the card, what to speak, and at the end status 286, which stops the polling."""
    job = _load_for(user_of(request), job_id)
    made = card_of(job, clock.now(), Watch.read(request.GET))
    response = render(request, "jobs/card.html", {"job": job, "card": made})
    if made.news:
        htmx.say(response, made.news)
    if not made.wait_ms:
        response.status_code = HTMX_STOP_POLLING
    if not job.is_open:
        htmx.event(response, "job-finished", {"id": str(job.pk), "state": job.state})
    return response


@dataclass(frozen=True)
class Asked:
    """One act as its page shows it: what it does, in words, and the call that does it."""

    verb: str
    question: str
    effect: str
    done: str
    call: Callable[[Job, Actor, forms.Form], None]
    form: type[forms.Form] = forms.Form
    danger: bool = False


CANCEL = Asked(
    "Cancel job",
    "Cancel this job?",
    "The work is not done. The job stays in the list as cancelled, and the activity log says who cancelled it.",
    "The job is cancelled.",
    lambda job, actor, _form: queue.cancel(job, actor=actor),
    danger=True,
)
RUN_NOW = Asked(
    "Run now",
    "Run this job now?",
    "The work starts as soon as a worker is free. What it does cannot be taken back by cancelling it.",
    "The job starts now.",
    lambda job, actor, _form: queue.run_now(job, actor=actor),
)
RETRY = Asked(
    "Retry",
    "Try this job again?",
    "The work starts again from its beginning. What the failed attempt has done is looked at first.",
    "The job is tried again.",
    lambda job, actor, _form: queue.retry(job, actor=actor),
)
RESCHEDULE = Asked(
    "Move the date",
    "Move this job to another time?",
    "Until then nothing happens. The activity log says who moved it, from when and to when.",
    "The job has a new date.",
    lambda job, actor, form: queue.reschedule(job, form.moment(), actor=actor),  # type: ignore[attr-defined]
    form=RescheduleForm,
)


@access(Capability.MANAGE_JOBS)
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask, then cancel."""
    return _ask(request, _load(job_id), CANCEL)


@access(Capability.MANAGE_JOBS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def reschedule(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask for a new time, then move the job there."""
    return _ask(request, _load(job_id), RESCHEDULE)


@access(Capability.MANAGE_JOBS, recent=True)
@require_http_methods(["GET", "HEAD", "POST"])
def run_now(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask, then start before the time: it may be a revocation, so the sign-in must be recent."""
    return _ask(request, _load(job_id), RUN_NOW)


@access(Capability.MANAGE_JOBS)
@require_http_methods(["GET", "HEAD", "POST"])
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask, then queue a failed job again."""
    return _ask(request, _load(job_id), RETRY)


def _ask(request: HttpRequest, job: Job, asked: Asked) -> HttpResponse:
    posted = request.method == "POST"
    form = asked.form(request.POST if posted else None, initial={"due_at": job.due_at})
    if posted and form.is_valid():
        try:
            asked.call(job, actor_of(request), form)
        except RefusedError as error:
            form.add_error("due_at" if "due_at" in form.fields else None, error.message)
        else:
            messages.success(request, asked.done)
            url = reverse("jobs:detail", args=[job.pk])
            return htmx.go(request, url)
    context = {"job": job, "shown": listing.row(job, clock.now()), "asked": asked, "form": form}
    template = "jobs/ask.html#dialog" if htmx.wants_fragment(request) else "jobs/ask.html"
    return render(request, template, context, status=422 if posted else 200)


def _load(job_id: UUID) -> Job:
    job = Job.objects.select_related("server").filter(pk=job_id).first()
    if job is None:
        raise _no_such_job()
    return job


def _load_for(user: User, job_id: UUID) -> Job:
    job = _load(job_id)
    if not seeing.may_see(user, job):
        raise _no_such_job()
    return job


def _no_such_job() -> NotFoundError:
    return NotFoundError(
        "There is no such job. Jobs that ended are kept for 90 days; the activity log keeps what they did."
    )


def _entries(job: Job) -> QuerySet[Entry]:
    """Return the entries about the job, and those about its subject when it was asked for and while it was at work."""
    about = Q(subject_kind="job", subject_id=str(job.pk))
    if job.subject_id and not job.every_s:
        subject = Q(subject_kind=job.subject_kind, subject_id=job.subject_id)
        about |= subject & _between(job.created_at, job.created_at)
        if job.started_at:
            about |= subject & _between(job.started_at, job.finished_at or clock.now())
    return Entry.objects.filter(about).order_by("-seq")


def _between(begin: datetime, end: datetime) -> Q:
    return Q(at__gte=begin - AROUND, at__lte=end + AROUND)
