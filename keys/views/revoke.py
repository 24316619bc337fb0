"""Revoke a root: the dialog with its consequences, the one-click plan, and taking a plan back."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from console.accounts.asking import actor_of
from console.jobs import queue
from console.jobs.models import Job, State
from console.lib import clock, durations, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import ConflictError, InvalidError
from console.servers.current import current
from keys import backups_seen, revocation, roots, witnesses
from keys.errors import ConsequencesChangedError
from keys.forms import RevokeForm
from keys.jobs import WHEN_READY
from keys.models.root import RevocationReason, Root
from keys.revocation import Plan
from keys.standing import Standing
from keys.views.current import done_in_place
from keys.witnesses import Dependants


@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_KEYS, recent=True)
def revoke(request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Show what a revocation does, and do it or schedule it when the exact name was typed."""
    root = roots.find(root_id)
    standing = Standing.read(current())
    sent = request.POST if request.method == "POST" else None
    if sent is None:
        return _asked(request, root, standing)
    form = RevokeForm(root.name, sent, initial=_initial(root, standing))
    if not form.is_valid():
        return _dialog(request, root, standing, form, status=422)
    data = form.cleaned_data
    reason = RevocationReason(data["reason"])
    plan = Plan(reason, data["note"], data["seen"], form.chosen_time, only_when_ready=form.only_when_ready)
    try:
        job = revocation.request(root, plan, actor=actor_of(request))
    except InvalidError as error:
        form.add_error(error.field or None, error.message)
        return _dialog(request, root, standing, form, status=422)
    except ConsequencesChangedError as error:
        return _shown_again(request, root, error)
    return _planned(request, root, job)


def _asked(request: HttpRequest, root: Root, standing: Standing) -> HttpResponse:
    """Show the dialog with a date at which nobody breaks: a week after the replacement, or as early as possible."""
    depending = witnesses.dependants(root)
    initial = _initial(root, standing)
    ready = revocation.ready_date(depending)
    if root.pk not in standing.pending:
        initial["due_at"] = max(initial["due_at"], ready or initial["due_at"])
    if request.GET.get("at") == "earliest" and ready:
        initial["due_at"] = ready
    return _dialog(request, root, standing, RevokeForm(root.name, initial=initial), depending=depending)


def _initial(root: Root, standing: Standing) -> dict[str, Any]:
    plan = standing.pending.get(root.pk)
    due_at = plan.due_at if plan else revocation.offered_date(root, standing)
    when = "ready" if plan and plan.params.get(WHEN_READY) else "later"
    return {"seen": "", "when": when, "due_at": due_at, "reason": plan.params["reason"] if plan else ""}


def _shown_again(request: HttpRequest, root: Root, error: ConsequencesChangedError) -> HttpResponse:
    """Show the consequences anew, with what was entered but the name and the digest."""
    standing = Standing.read(current())
    kept = {name: value for name, value in request.POST.items() if name not in {"typed", "seen"}}
    form = RevokeForm(root.name, initial={**_initial(root, standing), **kept})
    # htmx swaps in a 422 and drops a 409; to a browser without it the status says what it is.
    status = 422 if request.htmx else 409  # type: ignore[attr-defined]
    return _dialog(request, root, standing, form, status=status, changed=error)


def _dialog(
    request: HttpRequest,
    root: Root,
    standing: Standing,
    form: RevokeForm,
    *,
    status: int = 200,
    changed: ConflictError | None = None,
    depending: list[Dependants] | None = None,
) -> HttpResponse:
    found = witnesses.dependants(root) if depending is None else depending
    lines = revocation.consequences(root, standing, found)
    context = {
        "root": root,
        "form": form,
        "seen": revocation.digest(lines),
        "lines": lines,
        "refusal": standing.refusal(root),
        "waits": standing.uncertified(root, RevocationReason.POLICY),
        "early": revocation.early_warning(root, standing, clock.now()),
        "plan": standing.pending.get(root.pk),
        "depending": found,
        "ready_date": revocation.ready_date(found),
        "backup": backups_seen.last(),
        "changed": changed,
    }
    part = "#form" if request.method == "POST" else "#dialog"
    template = f"keys/revoke.html{part}" if htmx.wants_fragment(request) else "keys/revoke.html"
    return render(request, template, context, status=status)


def _planned(request: HttpRequest, root: Root, job: Job) -> HttpResponse:
    if job.state == State.SCHEDULED and job.params.get(WHEN_READY):
        text = f"{root.name} is revoked from {durations.stamp(job.due_at)} on, as soon as nobody needs it any more."
    elif job.state == State.SCHEDULED:
        text = f"{root.name} is revoked on {durations.stamp(job.due_at)}. Cancel or move it until then."
    else:
        text = f"{root.name} is being revoked. Back up again as soon as it is done."
    return _answer(request, text)


def _answer(request: HttpRequest, text: str) -> HttpResponse:
    if not request.htmx:  # type: ignore[attr-defined]
        messages.success(request, text)
        return redirect("keys:current-server")
    return done_in_place(text)


@require_POST
@access(Capability.MANAGE_KEYS, recent=True)
def schedule(request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Schedule the revocation of a replaced root a week after its replacement, in one click (MIS-10)."""
    root = roots.find(root_id)
    job = revocation.schedule_in_a_week(root, actor=actor_of(request))
    return _planned(request, root, job)


@require_POST
@access(Capability.MANAGE_KEYS)
def cancel(request: HttpRequest, root_id: uuid.UUID) -> HttpResponse:
    """Take the plan to revoke a root back."""
    root = roots.find(root_id)
    plan = Standing.read(current()).pending.get(root.pk)
    if plan is None:
        raise ConflictError(f"No revocation of {root.name} is planned. Nothing was changed.")
    queue.cancel(plan, actor=actor_of(request))
    return _answer(request, f"{root.name} stays. Its planned revocation is cancelled.")
