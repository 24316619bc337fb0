"""One security object: its page, and what may be done with it (SOB-04 to SOB-07, SOB-22 to SOB-28)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.accounts.asking import actor_of, user_of
from console.jobs.models import Job, State
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.digest import sha256_hex
from console.lib.errors import InvalidError, NotFoundError
from console.lib.typedname import TypedNameForm
from hsm.browsing.rows import badges, kind_of
from hsm.jobs import DELETE_OBJECT, OBJECT_KINDS
from hsm.models.groups import ConnectionState
from hsm.models.objects import SecurityObject
from hsm.objects import activation, asking, attributes, permissions, removal, rotation, tags
from hsm.objects.acts import acts
from hsm.objects.forms import PermissionsForm, TagForm
from hsm.objects.policy import Change, effect
from hsm.rights import Right, object_for
from hsm.syncing import drift
from hsm.views.scope import may_manage

METHODS = ["GET", "HEAD", "POST"]
CHANGED = (
    "The policy of the group was changed meanwhile, so this now does something else. Nothing was done. Read it again."
)


@require_GET
@access(Capability.SIGNED_IN)
def detail(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Show the tab INFO."""
    try:
        key = object_for(user_of(request), object_id, Right.SEE)
    except NotFoundError:
        if _was_deleted(object_id):
            return htmx.go(request, reverse("hsm:objects"))
        raise
    context = _common(request, key, "info")
    context |= {
        "drift": drift.rows(key),
        "acts": acts(key) if context["may_manage"] and not context["unsettled"] else [],
        "connected": key.group.connections.filter(state=ConnectionState.CONNECTED).exists(),
        "predecessor": SecurityObject.objects.filter(successor=key).first(),
    }
    return render(request, "hsm/objects/detail.html", context)


@require_GET
@access(Capability.SIGNED_IN)
def show_attributes(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Show the tab ATTRIBUTES/TAGS."""
    return _attributes(request, object_for(user_of(request), object_id, Right.SEE), TagForm())


@require_POST
@access(Capability.SIGNED_IN)
def change_tags(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Add a custom attribute, or remove one."""
    key = _managed(request, object_id)
    if "remove" in request.POST:
        wanted = request.POST["remove"]
        tags.remove(key, int(wanted) if wanted.isdecimal() and len(wanted) < 18 else 0, actor=actor_of(request))
        return redirect("hsm:object-attributes", key.pk)
    form = TagForm(request.POST)
    if form.is_valid():
        try:
            tags.put(key, form.cleaned_data["name"], form.cleaned_data["value"], actor=actor_of(request))
        except InvalidError as error:
            form.add_error(error.field or None, error.message)
        else:
            return redirect("hsm:object-attributes", key.pk)
    return _attributes(request, key, form)


def _attributes(request: HttpRequest, key: SecurityObject, form: TagForm) -> HttpResponse:
    context = _common(request, key, "attributes") | {
        "pkcs11": attributes.pkcs11(key),
        "cng": attributes.cng(key),
        "tags": key.tags.all(),
        "form": form,
    }
    return render(request, "hsm/objects/attributes.html", context, status=422 if form.is_bound else 200)


@dataclass(frozen=True)
class Ask:
    """One act as its dialog says it. `mark` comes back with the form: another policy would do something else."""

    title: str
    verb: str
    icon: str
    effect: str
    kind: str = "primary"

    @property
    def mark(self) -> str:
        """A digest of what is said."""
        return sha256_hex(self.effect.encode())[:16]


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def change_permissions(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask what the key may do, and see to it."""
    key = _managed(request, object_id)
    ask = Ask("Change permissions", "Change permissions", "adjustments", effect(key.group, Change.PERMISSIONS))
    form = PermissionsForm(key, _sent(request))

    def act() -> str:
        job = permissions.request(key, form.wanted, actor=actor_of(request))
        return (
            "The HSM is asked to change the permissions." if job else "The permissions of the virtual key are changed."
        )

    return _ask(request, key, ask, form, act)


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def deactivate(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask, then deactivate."""
    key = _managed(request, object_id)
    ask = Ask(f"Deactivate {key.name}?", "Deactivate", "ban", effect(key.group, Change.DEACTIVATE), "danger-solid")

    def act() -> str:
        activation.deactivate(key, actor=actor_of(request))
        return f"{key.name} is deactivated."

    return _ask(request, key, ask, forms.Form(_sent(request)), act)


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def activate(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask, then activate again."""
    key = _managed(request, object_id)
    ask = Ask(f"Activate {key.name}?", "Activate", "check", "The key may be used again as its permissions say.")

    def act() -> str:
        activation.activate(key, actor=actor_of(request))
        return f"{key.name} is active again."

    return _ask(request, key, ask, forms.Form(_sent(request)), act)


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def rotate(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask, then have a successor made."""
    key = _managed(request, object_id)
    ask = Ask(f"Rotate {key.name}?", "Rotate key", "rotate-clockwise", effect(key.group, Change.ROTATE))

    def act() -> str:
        rotation.request(key, actor=actor_of(request))
        return f"The successor of {key.name} is being made."

    return _ask(request, key, ask, forms.Form(_sent(request)), act)


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN, recent=True)
def remove_private(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask for the name, then remove the private component."""
    key = _managed(request, object_id)
    title = f"Remove the private key of {key.name}?"
    ask = Ask(title, "Remove private key", "key-off", effect(key.group, Change.REMOVE_PRIVATE), "danger-solid")

    def act() -> str:
        job = removal.remove_private(key, actor=actor_of(request))
        return "The private key is being destroyed." if job else "The private component of the virtual key is removed."

    return _ask(request, key, ask, TypedNameForm(key.name, _sent(request)), act)


@require_http_methods(METHODS)
@access(Capability.SIGNED_IN, recent=True)
def delete(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Ask for the name, then delete."""
    key = _managed(request, object_id)
    said = next(one.effect for one in acts(key) if one.name == "delete")
    ask = Ask(f"Delete {key.name}?", "Delete security object", "trash", said, "danger-solid")

    def act() -> str:
        job = removal.delete(key, actor=actor_of(request))
        return f"{key.name} is being destroyed." if job else f"The security object {key.name} is deleted."

    return _ask(request, key, ask, TypedNameForm(key.name, _sent(request)), act)


@require_GET
@access(Capability.SIGNED_IN)
def public_key(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Give the public half as a file, DER SubjectPublicKeyInfo."""
    key = object_for(user_of(request), object_id, Right.SEE)
    if not key.spki_der:
        raise NotFoundError("This key has no public half.")
    response = HttpResponse(bytes(key.spki_der), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{sha256_hex(bytes(key.spki_der))[:16]}.spki.der"'
    return response


def _managed(request: HttpRequest, object_id: UUID) -> SecurityObject:
    return object_for(user_of(request), object_id, Right.MANAGE)


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _ask(request: HttpRequest, key: SecurityObject, ask: Ask, form: forms.Form, act: Callable[[], str]) -> HttpResponse:
    """Show the dialog with what the act does under the policy of now; act when just that was confirmed."""
    if form.is_bound and request.POST.get("seen", ask.mark) != ask.mark:
        form.add_error(None, CHANGED)
    if form.is_bound and form.is_valid():
        try:
            said = act()
        except InvalidError as error:
            form.add_error(error.field or None, error.message)
        else:
            messages.success(request, said)
            there = SecurityObject.objects.filter(pk=key.pk).exists()
            return htmx.go(request, reverse("hsm:object", args=[key.pk]) if there else reverse("hsm:objects"))
    context = {"key": key, "ask": ask, "form": form, "url": request.path}
    part = "#form" if form.is_bound else "#dialog"
    template = f"hsm/objects/ask.html{part if htmx.wants_fragment(request) else ''}"
    return render(request, template, context, status=422 if form.is_bound else 200)


def _common(request: HttpRequest, key: SecurityObject, tab: str) -> dict[str, Any]:
    jobs = asking.open_jobs(key)
    return {
        "key": key,
        "object": key,
        "group": key.group,
        "tab": tab,
        "badges": badges(key),
        "kind": kind_of(key),
        "jobs": jobs,
        "last": None if jobs else _last_failure(key),
        "unsettled": key.state in ("requested", "creating", "unknown", "destroying"),
        "may_manage": may_manage(request, key.group),
    }


def _last_failure(key: SecurityObject) -> Job | None:
    """Return the last job about the key when it failed, so that its reason stays until something else was done."""
    names = [kind.name for kind in OBJECT_KINDS]
    about = Job.objects.filter(kind_name__in=names, subject_kind="security-object", subject_id=str(key.pk))
    last = about.order_by("-created_at").first()
    return last if last and last.state == State.FAILED and key.problem else None


def _was_deleted(object_id: UUID) -> bool:
    """Say whether a job has deleted the object: its page may still be open."""
    done = Job.objects.filter(kind_name=DELETE_OBJECT.name, subject_id=str(object_id), state=State.SUCCEEDED)
    return done.exists() and not SecurityObject.objects.filter(pk=object_id).exists()
