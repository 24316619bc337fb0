"""The HSM tab and its connections. Nothing here reaches a gateway or a module: a test is a job."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.accounts.asking import actor_of, user_of
from console.accounts.models import User
from console.lib import clock, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError, RefusedError
from console.lib.passive import passive
from hsm import uses
from hsm.connections import drafts, editing, ordering, overview, requests
from hsm.connections.forms import RAN_OUT, ConnectionForm, fields_of, shown_of
from hsm.connections.watching import Watch, draft_report
from hsm.groups.overview import key_count, standing
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Connection, Group
from hsm.rights import Right, rights, visible_groups
from hsm.views.scope import connection_of, group_of, may_manage

HSM_PAGE = "hsm/groups/hsm.html"


@require_GET
@access(Capability.SIGNED_IN)
def group_hsm(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Show the HSM tab."""
    found = _hsm_group(request, group_id, Right.SEE)
    return render(request, HSM_PAGE, _context(request, found))


@require_GET
@passive
@access(Capability.SIGNED_IN)
def states(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Answer the page that asks again by itself: the states, each in its place."""
    return _watch(request, _hsm_group(request, group_id, Right.SEE))


@require_POST
@passive
@access(Capability.SIGNED_IN)
def group_test(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Test all connections: by itself when the tab opens (GRP-31), or because somebody asked."""
    found = _hsm_group(request, group_id, Right.USE)
    if request.POST.get("by") == "itself":
        requests.test_by_itself(found, actor=actor_of(request))
    else:
        requests.ask_for_test(found, actor=actor_of(request))
    return _watch(request, found) if htmx.wants_fragment(request) else redirect("hsm:group-hsm", found.pk)


@require_POST
@access(Capability.SIGNED_IN)
def connection_test(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """TEST CONNECTION of a stored connection, with its stored PIN (GRP-33)."""
    found = connection_of(request, connection_id, Right.USE)
    requests.ask_for_test(found, actor=actor_of(request))
    if not htmx.wants_fragment(request):
        return redirect("hsm:group-hsm", found.group_id)
    return htmx.say(_watch(request, found.group), f"Testing {found.name}")


@require_POST
@access(Capability.SIGNED_IN)
def connection_move(request: HttpRequest, connection_id: UUID, how: str) -> HttpResponse:
    """Move a connection in the order of priority."""
    found = connection_of(request, connection_id, Right.MANAGE)
    priority = ordering.move(found, how, actor=actor_of(request))
    said = f"{found.name} is now priority {priority} of {found.group.connections.count()}"
    if not htmx.wants_fragment(request):
        messages.success(request, f"{said}.")
        return redirect("hsm:group-hsm", found.group_id)
    response = render(request, f"{HSM_PAGE}#connections", _context(request, found.group))
    return htmx.refocus(htmx.toast(response, "ok", said), f"m-{found.pk}-button")


@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def connection_delete(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Delete a connection, after a confirmation."""
    found = connection_of(request, connection_id, Right.MANAGE)
    if request.method == "POST":
        editing.delete(found, actor=actor_of(request))
        messages.success(request, f"The connection {found.name} was deleted.")
        return htmx.go(request, reverse("hsm:group-hsm", args=[found.group_id]))
    page = "hsm/connections/delete.html"
    template = f"{page}#dialog" if htmx.wants_fragment(request) else page
    last = found.group.connections.count() == 1
    return render(request, template, {"connection": found, "group": found.group, "last": last})


@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN)
def connection_new(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """ADD CONNECTION."""
    found = _hsm_group(request, group_id, Right.MANAGE)
    return _edit(request, found, None)


@sensitive_post_parameters("pin")
@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN)
def connection(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Edit a connection; an empty PIN keeps the stored one."""
    found = connection_of(request, connection_id, Right.MANAGE)
    return _edit(request, found.group, found)


def _edit(request: HttpRequest, group: Group, found: Connection | None) -> HttpResponse:
    """Show, test or save the form of a connection."""
    sent = request.method == "POST"
    draft = drafts.find((request.POST if sent else request.GET).get("draft", ""), actor=actor_of(request))
    if draft and not drafts.is_of(draft, group, found):
        raise NotFoundError("What was entered belongs to another connection. Nothing was changed.")
    form = ConnectionForm(request.POST) if sent else _unsent(found, draft)
    form.keeps(pin=bool(found and found.pin_version))
    has_typed_pin = draft is not None and draft.sealed_pin is not None
    if not user_of(request).may(Capability.MANAGE_HSM):
        form.keeps_module(found.module_path if found else "")
        if found and found.sealed_pin is not None and not has_typed_pin:
            form.keeps_pin_with(found)
    if has_typed_pin:
        form.keeps(pin=True, text="Kept until you save")
    if sent and form.is_valid():
        if form.cleaned_data["draft"] and draft is None:
            form.add_error("pin", RAN_OUT)
        elif request.POST.get("act") == "test":
            return _tested(request, form, group, found, draft)
        else:
            try:
                return _saved(request, form, group, found, draft)
            except RefusedError as error:
                form.add_error(None, f"{error.message} {error.next_step}")
    return _form(request, form, group, found, draft)


def _unsent(found: Connection | None, draft: ConnectionDraft | None) -> ConnectionForm:
    initial: dict[str, Any] = {**fields_of(found), "seen": editing.version(found)} if found else {}
    return ConnectionForm(initial={**initial, **(shown_of(draft) if draft else {})})


def _tested(
    request: HttpRequest, form: ConnectionForm, group: Group, found: Connection | None, draft: ConnectionDraft | None
) -> HttpResponse:
    kept = drafts.keep(
        form.entered(), None, form.shown(), connection=found, group=group, earlier=draft, actor=actor_of(request)
    )
    if not htmx.wants_fragment(request):
        return redirect(f"{request.path}?draft={kept.pk}")
    again = _unsent(found, kept)
    again.keeps(pin=bool(found and found.pin_version))
    again.keeps(pin=kept.sealed_pin is not None, text="Kept until you save")
    return _form(request, again, group, found, kept)


def _saved(
    request: HttpRequest, form: ConnectionForm, group: Group, found: Connection | None, draft: ConnectionDraft | None
) -> HttpResponse:
    actor = actor_of(request)
    if found:
        saved = editing.edit(found, form.entered(), seen=form.cleaned_data["seen"], draft=draft, actor=actor)
    else:
        saved = editing.add(group, form.entered(), draft=draft, actor=actor)
    requests.request_test(saved, actor=actor)
    messages.success(request, f"The connection {saved.name} was saved.")
    return htmx.go(request, reverse("hsm:group-hsm", args=[group.pk]))


def _form(
    request: HttpRequest, form: ConnectionForm, group: Group, found: Connection | None, draft: ConnectionDraft | None
) -> HttpResponse:
    page = "hsm/connections/edit.html"
    template = f"{page}#form" if htmx.wants_fragment(request) else page
    context = {
        "form": form,
        "group": group,
        "connection": found,
        "draft": draft,
        "report": draft_report(draft.job) if draft and draft.job else None,
        "url": request.path,
    }
    return render(request, template, context, status=422 if form.is_bound else 200)


@require_GET
@passive
@access(Capability.SIGNED_IN)
def draft_test(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Show how the test of an unsaved form goes; only to whoever asked for it."""
    draft = drafts.find(str(draft_id), actor=actor_of(request))
    if draft is None or draft.job is None:
        raise NotFoundError("What you entered was kept for 15 minutes only.", next_step="Enter it again.")
    report = draft_report(draft.job, Watch.of(request.GET))
    response = render(request, "hsm/connections/_tested.html", {"draft": draft, "report": report})
    return htmx.say(response, report.words) if report.words else response


def _hsm_group(request: HttpRequest, group_id: UUID, right: Right) -> Group:
    found = group_of(request, group_id, right)
    if not found.is_hsm:
        raise NotFoundError("This group has no HSM: its keys are in the key store of this server.")
    return found


def _context(request: HttpRequest, group: Group, watch: Watch | None = None) -> dict[str, Any]:
    table = overview.table(group, clock.now())
    return {
        "group": group,
        "tab": "hsm",
        "table": table,
        "watch": (watch or Watch()).next(busy=table.testing),
        "may_manage": may_manage(request, group),
        "may_test": Right.USE in rights(user_of(request), group),
        "keys": key_count(group),
        "standing": standing([line.connection for line in table.lines]),
        "uses": _other_uses(user_of(request), group, table.facts),
    }


def _other_uses(user: User, group: Group, token: Connection | None) -> dict[str, Any]:
    """Return what else uses the token, as far as the user may see it (AMB-42)."""
    if token is None:
        return {}
    bindings = uses.bindings_on(token).select_related("server") if user.may(Capability.READ) else ()
    return {"groups": uses.groups_on(token, visible_groups(user)).exclude(pk=group.pk), "bindings": bindings}


def _watch(request: HttpRequest, group: Group) -> HttpResponse:
    """Return the states, each in its place, and when to ask again."""
    before = Watch.of(request.GET)
    context = _context(request, group, before)
    response = render(request, f"{HSM_PAGE}#watch", context)
    if before.was_busy and not context["table"].testing:
        htmx.say(response, f"Connections tested: {context['standing'].text}")
    return response
