"""Add New Security Object: generate or import, and an import that failed put right (SOB-10 to SOB-20)."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from console.accounts.asking import actor_of, user_of
from console.jobs.models import Job
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import InvalidError, RightMissingError
from hsm.device.base import KeySpec
from hsm.jobs import IMPORT_OBJECT
from hsm.models.groups import Group
from hsm.models.objects import UNSETTLED, ObjectState, Origin, SecurityObject
from hsm.objects import asking, generation, importing, offer
from hsm.objects.newform import IMPORT, SECRETS, TOO_LARGE, NewObjectForm, managed_groups, shown_again
from hsm.objects.policy import Change, effect
from hsm.rights import Right, object_for, require, visible_groups

METHODS = ["GET", "HEAD", "POST"]


@sensitive_post_parameters(*SECRETS)
@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def new(request: HttpRequest) -> HttpResponse:
    """Show the form, show it again for other choices, or ask for the key."""
    _refuse_others(request)
    if request.method != "POST":
        return _page(request, NewObjectForm(user_of(request), initial=_first(request)))
    if "refresh" in request.POST:
        return _page(request, NewObjectForm(user_of(request), initial=shown_again(request.POST)))
    return _asked(request, None)


@sensitive_post_parameters(*SECRETS)
@require_http_methods(METHODS)
@access(Capability.SIGNED_IN)
def correct(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Follow an import; one that failed comes back as the form, with its fault at the field."""
    key = object_for(user_of(request), object_id, Right.MANAGE)
    failed = key.state == ObjectState.FAILED and key.origin == Origin.IMPORTED
    if not failed and key.state not in UNSETTLED:
        return htmx.go(request, _url(key))
    if request.method == "POST" and failed:
        return _asked(request, key)
    if key.state in UNSETTLED:
        return render(request, "hsm/objects/importing.html", {"key": key, "jobs": asking.open_jobs(key)})
    return _page(request, _with_fault(request, key), failed=key)


@sensitive_variables("form")
def _asked(request: HttpRequest, failed: SecurityObject | None) -> HttpResponse:
    form = NewObjectForm(user_of(request), request.POST, request.FILES)
    if _was_too_large(request) and "value_file" in form.fields:
        form.add_error("value_file", TOO_LARGE)
    if not form.is_valid():
        return _page(request, form, failed=failed, status=422)
    try:
        return redirect(_request(request, form, failed))
    except InvalidError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _page(request, form, failed=failed, status=422)


def _request(request: HttpRequest, form: NewObjectForm, failed: SecurityObject | None) -> str:
    """Ask for the key; return the page that shows what becomes of it."""
    actor = actor_of(request)
    if not form.is_import:
        key, _ = generation.request(form.chosen_group, form.wanted, actor=actor)
        messages.success(request, f"{key.name} is being generated.")
        return _url(key)
    key, _ = importing.request(
        form.chosen_group,
        form.wanted,
        form.cleaned_data["material"],
        spelling=form.spelled,
        passphrase=form.opens_with,
        actor=actor,
        instead=failed,
    )
    return reverse("hsm:object-import", args=[key.pk])


def _page(
    request: HttpRequest, form: NewObjectForm, *, failed: SecurityObject | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "failed": failed,
        "url": request.path,
        "effects": _effects(form),
        "has_groups": bool(form.groups) or bool(managed_groups(user_of(request))),
    }
    part = "#fields" if htmx.wants_fragment(request) and "refresh" in request.POST else ""
    return render(request, f"hsm/objects/new.html{part}", context, status=status)


def _effects(form: NewObjectForm) -> str:
    """Return what the act does in the groups that can be chosen: they are of one kind."""
    change = Change.IMPORT if form.is_import else Change.GENERATE
    group = next(iter(form.groups.values()), None)
    return effect(group, change) if group else ""


def _refuse_others(request: HttpRequest) -> None:
    """Raise RightMissingError where the user manages no group, or not the one that was sent."""
    user = user_of(request)
    if request.method == "POST" and (chosen := _group(request, request.POST.get("group", ""))):
        require(user, chosen, Right.MANAGE)
    if not managed_groups(user) and visible_groups(user).exists() | (request.method == "POST"):
        raise RightMissingError(
            "You manage no group, so you cannot add a security object. Nothing was changed.",
            needed="manage a group",
            next_step="An Administrator, or an HSM administrator of a group, can give you that role.",
        )


def _group(request: HttpRequest, group_id: str) -> Group | None:
    try:
        return visible_groups(user_of(request)).filter(pk=UUID(group_id)).first()
    except ValueError:
        return None


def _first(request: HttpRequest) -> dict[str, object]:
    """Return what the form starts with: the group from whose page it was opened."""
    group = _group(request, request.GET.get("group", ""))
    return {"group": str(group.pk), "is_hsm": group.is_hsm} if group else {}


def _with_fault(request: HttpRequest, key: SecurityObject) -> NewObjectForm:
    """Return the form as it was entered, but the material, with the fault of the worker at its field."""
    jobs = Job.objects.filter(kind_name=IMPORT_OBJECT.name, subject_id=str(key.pk))
    first, last = jobs.order_by("created_at").first(), jobs.order_by("-created_at").first()
    form = NewObjectForm(user_of(request), _entered(key, first.params.get(importing.SPELLING, "") if first else ""))
    form.errors.clear()  # of fields that are not filled in again
    field = offer.FIELDS.get(key.problem_code, "")
    said = " ".join(filter(None, (key.problem, last.next_step if last else "")))
    form.add_error(field if field in form.fields else None, said)
    return form


def _entered(key: SecurityObject, spelling: str) -> dict[str, object]:
    kind = offer.type_of(KeySpec(key.spec)).name
    entered: dict[str, object] = {
        "name": key.name,
        "group": str(key.group_id),
        "how": IMPORT,
        "key_type": kind,
        "shown_type": kind,
        "spec": key.spec,
        "operations": key.operations,
        "spelling": spelling,
    }
    return entered | ({"is_hsm": "on"} if key.group.is_hsm else {})


def _url(key: SecurityObject) -> str:
    return reverse("hsm:object", args=[key.pk])


def _was_too_large(request: HttpRequest) -> bool:
    """Say whether the upload handler let the file pass by unread (FILE_UPLOAD_MAX_MEMORY_SIZE)."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return request.content_type == "multipart/form-data" and int(length) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE
