"""Administration > Configuration > Settings > HSM integration: the guided page, and what surrounds it."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.accounts.asking import actor_of, user_of
from console.activity import log
from console.activity.models import Outcome
from console.jobs import queue
from console.jobs.models import OPEN, Job
from console.lib import clock
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import InvalidError, NotFoundError
from console.servers.current import current
from hsm.jobs import FOLLOW_PIN, LIST_TOKENS
from hsm.report import report
from keys import jobs
from keys.actions import Action
from keys.backups_seen import last as last_backup
from keys.integration import Integration, bindings_with_state, on_each_server
from keys.integration_forms import FORMS
from settings_store import store, values
from settings_store.catalogue import KEYS_ON_HSM, Scope
from settings_store.errors import ChangedMeanwhileError


@require_GET
@access(Capability.READ)
def integration(request: HttpRequest) -> HttpResponse:
    """Show what to prepare, the nine steps as they stand, and the tokens that keys live on."""
    here = Integration()
    context = {
        "here": here,
        "next": here.next_step(),
        "backup": last_backup(),
        "bindings": bindings_with_state(here.server),
        "servers": on_each_server(),
        "may_change": _may_change(request),
    }
    return render(request, "hsm/integration.html", context)


@require_http_methods(["GET"])
@access(Capability.READ)
def step(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one step."""
    return _show(request, slug, Integration())


@require_POST
@access(Capability.MANAGE_HSM)
def save(request: HttpRequest, slug: str) -> HttpResponse:
    """Save what a step asks for, as Advanced Settings, and go on to the next step."""
    here = Integration()
    if slug not in FORMS:
        raise NotFoundError("This step has nothing to save.")
    form = FORMS[slug](request.POST, here=here)
    status = 422
    if form.is_valid():
        try:
            store.save_local(dict(form.changes()), seen=request.POST.get("seen", ""), actor=actor_of(request))
            return redirect("keys:integration-step", _after(here, slug))
        except InvalidError as error:
            _place(form, slug, error)
        except ChangedMeanwhileError as error:
            status = 409
            form.add_error(None, f"{error.message} {_stored(slug)} Compare, then save again to replace that.")
    return _show(request, slug, Integration(), form=form, status=status)


@require_POST
@access(Capability.MANAGE_KEYS)
def verify(request: HttpRequest) -> HttpResponse:
    """Verify what can be verified today; one run at a time."""
    server = current()
    with transaction.atomic():
        queue.take_turn()
        if not Job.objects.filter(kind_name=jobs.VERIFY_KEYS.name, server=server, state__in=OPEN).exists():
            queue.enqueue(jobs.VERIFY_KEYS, subject=server.subject, actor=actor_of(request))
            log.append(Action.VERIFIED, server.subject, actor=actor_of(request), outcome=Outcome.REQUESTED)
    return redirect("keys:integration-step", "verify")


@require_GET
@access(Capability.READ)
def leave(request: HttpRequest) -> HttpResponse:
    """Disable, migrate or remove: what each way means, and its steps (HSI-30 to 36, 47)."""
    here = Integration()
    context = {"here": here, "bindings": bindings_with_state(here.server), "may_change": _may_change(request)}
    return render(request, "hsm/leave.html", context)


@require_POST
@access(Capability.MANAGE_HSM)
def disable(request: HttpRequest) -> HttpResponse:
    """Set UseHSM to 0 for each key; everything else stays, so that it can be enabled again."""
    here = Integration()
    changes = {f"Keys.{key.key}.UseHSM": "0" for key in here.used}
    store.save_local(changes, seen=store.seen_of(changes), actor=actor_of(request))
    messages.success(request, "The next keys are made in the key store of this server. Keys on the HSM stay in use.")
    return redirect("keys:integration-step", "rotate")


@require_GET
@access(Capability.READ)
def troubleshooting(request: HttpRequest) -> HttpResponse:
    """Show how to find out why an integration does not work (HSI-42 to 46)."""
    return render(request, "hsm/troubleshooting.html", {"here": Integration(), "may_change": _may_change(request)})


def _show(request: HttpRequest, slug: str, here: Integration, *, form: Any = None, status: int = 200) -> HttpResponse:
    shown = here.step(slug)
    if shown is None:
        raise NotFoundError("HSM integration has no such step.", next_step="Open the guided page again.")
    form = form or (FORMS[slug](here=here) if slug in FORMS else None)
    context = {
        "here": here,
        "step": shown,
        "before": here.steps[shown.number - 2] if shown.number > 1 else None,
        "after": here.steps[shown.number] if shown.number < len(here.steps) else None,
        "form": form,
        "seen": store.seen_of(_names(slug)),
        "report": report(here.check, clock.now()) if slug == "check" and here.check else None,
        "listing": _latest(LIST_TOKENS.name) if slug in {"module", "token"} else None,
        "following": _open(FOLLOW_PIN.name) if slug in {"token", "review"} else None,
        "may_change": _may_change(request),
    }
    return render(request, "hsm/step.html", context, status=status)


def _names(slug: str) -> list[str]:
    """Return the settings that a step saves."""
    if slug == "module":
        return ["HSMModulePath"]
    words = {"use": ["UseHSM"], "pin": ["HSMPassword"], "token": ["HSMTokenName", "HSMTokenID"]}
    return [f"Keys.{key}.{word}" for word in words.get(slug, []) for key in KEYS_ON_HSM]


def _stored(slug: str) -> str:
    """Return what is stored now of the settings that a step saves, as it may be shown."""
    found = values.rows().filter(name__in=_names(slug), scope=Scope.LOCAL).order_by("name")
    return f"Stored is now: {', '.join(f'{row.name} {row.shown}' for row in found) or 'nothing'}."


def _place(form: Any, slug: str, error: InvalidError) -> None:
    """Put the store's message beside the field that it is about."""
    key = error.field.split(".")[1] if error.field.count(".") == 2 else ""
    suffix = {"HSMTokenName": "-name", "HSMTokenID": "-id"}.get(error.field.rsplit(".", 1)[-1], "")
    field = "path" if slug == "module" else f"{key}{suffix}"
    form.add_error(field if field in form.fields else None, error.message)


def _after(here: Integration, slug: str) -> str:
    order = [step.slug for step in here.steps]
    return order[order.index(slug) + 1]


def _latest(kind_name: str) -> Job | None:
    return Job.objects.filter(kind_name=kind_name, server=current()).first()


def _open(kind_name: str) -> Job | None:
    return Job.objects.filter(kind_name=kind_name, server=current(), state__in=OPEN).first()


def _may_change(request: HttpRequest) -> bool:
    return user_of(request).may(Capability.MANAGE_HSM)
