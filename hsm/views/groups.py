"""Groups: the table, a new group, INFO, and what changes a group. What needs a gateway is a job."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import actor_of, user_of
from console.lib import clock, htmx, search
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import ConflictError, RefusedError
from console.lib.typedname import TypedNameForm
from console.navigation import may
from hsm.connections import drafts
from hsm.connections.forms import RAN_OUT, TrustForm, shown_of, trust_of
from hsm.connections.watching import draft_report
from hsm.groups import certificates, creation, deletion, editing, overview, trusting
from hsm.groups.forms import EditGroupForm, NewGroupForm, PolicyForm, ScanForm
from hsm.models.drafts import ConnectionDraft, StagedClientPair
from hsm.models.groups import Group, Policy, Scan
from hsm.rights import Right, visible_groups
from hsm.views.scope import dropped_files, group_of, may_manage

SECRETS = ("pin", "client_key")


@require_GET
@access(Capability.SIGNED_IN)
def groups(request: HttpRequest) -> HttpResponse:
    """Show the groups that the user may see."""
    query = search.words(request)
    found = visible_groups(user_of(request))
    if query:
        found = found.filter(title__icontains=query)
    template = "hsm/groups/list.html#grid" if htmx.wants_fragment(request) else "hsm/groups/list.html"
    context = {"lines": overview.lines(found), "q": query, "may_create": may(request, Capability.MANAGE_HSM)}
    return render(request, template, context)


@sensitive_post_parameters(*SECRETS)
@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_HSM)
def group_new(request: HttpRequest) -> HttpResponse:
    """Add new group: LINK HSM/EXTERNAL KMS, TEST CONNECTION and SAVE all post here."""
    draft = drafts.find(request.POST.get("draft", "") or request.GET.get("draft", ""), actor=actor_of(request))
    if draft and not drafts.is_of_new_group(draft):
        draft = None
    if request.method != "POST":
        return _new(request, _empty_form(draft), draft)
    act = request.POST.get("act")
    linked = bool(request.POST.get("linked")) or act == "link"
    if act == "link":
        shown = {name: request.POST.get(name, "") for name in ("title", "description")}
        return _new(request, NewGroupForm(initial={**shown, "linked": True}, linked=True), None)
    form = NewGroupForm(request.POST, request.FILES, linked=linked)
    _hold(form, draft)
    form.files_dropped = dropped_files(request)
    if form.is_valid() and not (form.cleaned_data.get("draft") and draft is None):
        if act == "test":
            return _tested(request, form, draft)
        try:
            return _created(request, form, draft)
        except ConflictError as error:
            form.add_error("title", error.message)
        except RefusedError as error:
            form.add_error(None, error.message)
    elif form.is_valid():
        form.add_error(None, RAN_OUT)
    return _new(request, form, draft)


def _created(request: HttpRequest, form: NewGroupForm, draft: ConnectionDraft | None) -> HttpResponse:
    data = form.cleaned_data
    made = creation.create(data["title"], data["description"], form.hsm_entry(), draft=draft, actor=actor_of(request))
    messages.success(request, f"{made.title} was created.")
    page = "hsm:group-hsm" if made.is_hsm else "hsm:group"
    return htmx.go(request, reverse(page, args=[made.pk]))


def _tested(request: HttpRequest, form: NewGroupForm, draft: ConnectionDraft | None) -> HttpResponse:
    """Keep what was typed, test it, and show the form again with the result beside it."""
    kept = drafts.keep(form.entered(), form.trust_entry(), form.shown(), earlier=draft, actor=actor_of(request))
    if not htmx.wants_fragment(request):
        return redirect(f"{request.path}?draft={kept.pk}")
    return _new(request, _empty_form(kept), kept)


def _empty_form(draft: ConnectionDraft | None) -> NewGroupForm:
    form = NewGroupForm(initial=shown_of(draft) if draft else None, linked=draft is not None)
    _hold(form, draft)
    return form


def _hold(form: NewGroupForm, draft: ConnectionDraft | None) -> None:
    if draft and form.is_linked:
        form.keeps(pin=draft.sealed_pin is not None, text="Kept until you save")
        form.holds_key = draft.sealed_client_key is not None
        form.holds_cert = draft.fields["shown"].get("client_cert_text", "")


def _new(request: HttpRequest, form: NewGroupForm, draft: ConnectionDraft | None) -> HttpResponse:
    template = "hsm/groups/new.html#form" if htmx.wants_fragment(request) else "hsm/groups/new.html"
    context = {
        "form": form,
        "draft": draft,
        "report": draft_report(draft.job) if draft and draft.job else None,
        "url": reverse("hsm:group-new"),
    }
    return render(request, template, context, status=422 if form.is_bound else 200)


@require_GET
@access(Capability.SIGNED_IN)
def group(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Show INFO."""
    found = group_of(request, group_id, Right.SEE)
    context = {
        "group": found,
        "tab": "info",
        "may_manage": may_manage(request, found),
        "keys": overview.key_count(found),
        "policies": Policy.choices,
        "scans": Scan.choices,
        "certificates": certificates.facts(found.ca_pem),
        "client_certificates": certificates.facts(found.client_cert_pem),
        "staged": StagedClientPair.objects.filter(group=found).first(),
        "now": clock.now(),
    }
    return render(request, "hsm/groups/info.html", context)


@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN)
def group_edit(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Edit title, description and HSM type."""
    found = group_of(request, group_id, Right.MANAGE)
    initial = {
        "title": found.title,
        "description": found.description,
        "hsm_type": found.hsm_type,
        "seen": editing.version(found),
    }
    form = EditGroupForm(request.POST or None, initial=initial, has_hsm=found.is_hsm)
    if form.is_valid():
        data = form.cleaned_data
        values = (data["title"], data["description"], data.get("hsm_type", ""))
        try:
            editing.edit(found, *values, seen=data["seen"], actor=actor_of(request))
        except ConflictError as error:
            if error.code != "title-taken":
                raise
            form.add_error("title", error.message)
        else:
            messages.success(request, "Saved.")
            return htmx.go(request, reverse("hsm:group", args=[found.pk]))
    return _dialog(request, "hsm/groups/edit.html", form, {"group": found})


@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def group_policy(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """EDIT POLICY."""
    found = group_of(request, group_id, Right.MANAGE)
    form = PolicyForm(request.POST or None, initial={"choice": found.policy, "seen": found.policy})
    if form.is_valid():
        editing.set_policy(found, form.cleaned_data["choice"], seen=form.cleaned_data["seen"], actor=actor_of(request))
        return _chosen(request, found, "The Key Management Policy was saved.")
    return _dialog(request, "hsm/groups/policy.html", form, {"group": found})


@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN)
def group_scan(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Choose the Key Scan option."""
    found = group_of(request, group_id, Right.MANAGE)
    form = ScanForm(request.POST or None, initial={"choice": found.scan, "seen": found.scan})
    if form.is_valid():
        editing.set_scan(found, form.cleaned_data["choice"], seen=form.cleaned_data["seen"], actor=actor_of(request))
        return _chosen(request, found, "The Key Scan option was saved. It counts from the next sync on.")
    return _dialog(request, "hsm/groups/scan.html", form, {"group": found})


def _chosen(request: HttpRequest, found: Group, said: str) -> HttpResponse:
    messages.success(request, said)
    return htmx.go(request, reverse("hsm:group", args=[found.pk]))


@sensitive_post_parameters(*SECRETS)
@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN)
def group_trust(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Edit what the gateways' certificates are checked against, and the client certificate."""
    found = group_of(request, group_id, Right.MANAGE)
    staged = StagedClientPair.objects.filter(group=found).first()
    form = TrustForm(
        request.POST or None, request.FILES or None, initial={**trust_of(found), "seen": trusting.version(found)}
    )
    form.files_dropped = dropped_files(request)
    form.holds_key, form.holds_cert = found.sealed_client_key is not None, found.client_cert_pem
    if form.is_valid():
        trusting.set_trust(found, form.trust_entry(), seen=form.cleaned_data["seen"], actor=actor_of(request))
        messages.success(request, "Saved. The connections are tested with it.")
        return htmx.go(request, reverse("hsm:group-hsm", args=[found.pk]))
    context = {"group": found, "form": form, "staged": staged}
    return render(request, "hsm/groups/trust.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def group_delete(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Delete a group, after its title was typed."""
    found = group_of(request, group_id, Right.MANAGE)
    form = TypedNameForm(found.title, request.POST or None)
    if form.is_valid():
        deletion.delete(found, actor=actor_of(request))
        messages.success(request, f"{found.title} was deleted.")
        return htmx.go(request, reverse("hsm:groups"))
    context = {
        "group": found,
        "refusal": deletion.refusal(found),
        "keys": overview.key_count(found),
        "unsettled": deletion.unsettled(found),
    }
    return _dialog(request, "hsm/groups/delete.html", form, context)


def _dialog(request: HttpRequest, page: str, form: Any, context: dict[str, Any]) -> HttpResponse:
    part = "#form" if form.is_bound else "#dialog"
    template = f"{page}{part}" if htmx.wants_fragment(request) else page
    return render(request, template, {**context, "form": form}, status=422 if form.is_bound else 200)
