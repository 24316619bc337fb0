"""Administration > Configuration > Settings > Advanced Settings."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.accounts.asking import actor_of, user_of
from console.activity import log
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import ConflictError, InvalidError, NotFoundError
from console.lib.subject import Subject
from console.servers.models import Server
from settings_store import grid, guards, snapshot, store
from settings_store.actions import Action
from settings_store.aftermath import after_saving
from settings_store.catalogue import ENTRIES, Entry, Scope
from settings_store.errors import ChangedMeanwhileError, NearMissError
from settings_store.forms import AddForm, DeleteForm, EditForm
from settings_store.models import Setting, key
from settings_store.values import rows


@require_GET
@access(Capability.READ)
def settings_list(request: HttpRequest) -> HttpResponse:
    """Show the grid, narrowed by `Filter items`."""
    group, sort = request.GET.get("group", ""), request.GET.get("sort", "name")
    context = {
        "q": request.GET.get("q", ""),
        "group": group,
        "groups": grid.groups(),
        "sort": sort if sort in grid.SORTS else "name",
        "findings": snapshot.findings(),
        "saved": _saved(request.GET.get("saved", "")),
        "may_change": user_of(request).may(Capability.MANAGE_SETTINGS),
    }
    context["lines"] = grid.lines(containing=context["q"], group=group, sort=str(context["sort"]))
    is_fragment = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    return render(request, "settings_store/list.html#grid" if is_fragment else "settings_store/list.html", context)


@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_SETTINGS)
def add(request: HttpRequest) -> HttpResponse:
    """Add Setting."""
    if request.method == "GET":
        form = AddForm(initial=_proposal(request.GET.get("name", ""), request.GET))
        fragment = "settings_store/add.html#fields" if request.htmx else "settings_store/add.html"  # type: ignore[attr-defined]
        return render(request, fragment, _add_context(form))
    form = AddForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        keep = request.POST.get("keep_name") == data["name"].strip()
        try:
            row = store.add(
                data["name"],
                data["value"],
                scope=data["scope"],
                value_type=data["value_type"],
                actor=actor_of(request),
                keep_unknown_name=keep,
            )
        except NearMissError as error:
            return render(request, "settings_store/add.html", _add_context(form, near_miss=error), status=422)
        except (InvalidError, ConflictError) as error:
            _explain(request, form, error, data["name"])
            status = 409 if isinstance(error, ConflictError) else 422
            return render(request, "settings_store/add.html", _add_context(form), status=status)
        return _to_list(row.scope, row.name)
    return render(request, "settings_store/add.html", _add_context(form), status=422)


@require_GET
@access(Capability.READ)
def edit(request: HttpRequest, setting_key: str) -> HttpResponse:
    """One setting: its value to change, what it means, and where it comes from."""
    row, entry, scope, name = _load(setting_key)
    form = _edit_form(row, entry)
    return render(request, "settings_store/edit.html", _edit_context(request, row, entry, scope, name, form))


@require_POST
@access(Capability.MANAGE_SETTINGS)
def save(request: HttpRequest, setting_key: str) -> HttpResponse:
    """Give the setting a new value."""
    row, entry, scope, name = _load(setting_key)
    form = _edit_form(row, entry, request.POST)
    context: dict[str, Any] = {}
    status = 422
    if form.is_valid():
        try:
            store.change(name, form.typed, scope=scope, seen=form.cleaned_data["seen"], actor=actor_of(request))
            return _to_list(scope, name)
        except ChangedMeanwhileError as error:
            status, context = 409, {"conflict": error}
            row, entry, scope, name = _load(setting_key)
            form.data = {**request.POST.dict(), "seen": row.token if row else store.DEFAULT_TOKEN}
        except InvalidError as error:
            _explain(request, form, error, name)
    context |= _edit_context(request, row, entry, scope, name, form)
    return render(request, "settings_store/edit.html", context, status=status)


@require_http_methods(["GET", "POST"])
@access(Capability.MANAGE_SETTINGS, recent=True)
def delete(request: HttpRequest) -> HttpResponse:
    """Delete Selected Settings, after showing what is lost."""
    chosen = (request.POST if request.method == "POST" else request.GET).getlist("id")
    if not chosen:
        messages.warning(request, "Select at least one setting first. Nothing was deleted.")
        return htmx.go(request, reverse("settings_store:list"))
    lines = [line for line in grid.lines() if line.key in chosen]
    names = [line.name for line in lines if not line.pre_set]
    form = DeleteForm(request.POST if request.method == "POST" else None)
    context = {
        "form": form,
        "lines": [line for line in lines if not line.pre_set],
        "fixed": [line for line in lines if line.pre_set],
        "losses": guards.losses(names),
        "pki_password": "PKIDatabasePassword" in names,
    }
    if request.method == "POST" and form.is_valid():
        deleted = store.delete(chosen, actor=actor_of(request), forget=form.forget)
        what = deleted[0] if len(deleted) == 1 else f"{len(deleted)} settings"
        messages.success(request, f"{what} deleted.")
        return htmx.go(request, reverse("settings_store:list"))
    part = "" if not request.htmx else "#form" if request.method == "POST" else "#dialog"  # type: ignore[attr-defined]
    status = 422 if request.method == "POST" else 200
    return render(request, f"settings_store/delete.html{part}", context, status=status)


@require_POST
@access(Capability.MANAGE_SETTINGS)
def reset(request: HttpRequest) -> HttpResponse:
    """Give pre-set settings their defaults back."""
    changed = store.reset_to_default(request.POST.getlist("id"), actor=actor_of(request))
    if changed:
        messages.success(request, f"Reset to default: {', '.join(changed)}.")
    else:
        messages.info(request, "Nothing to reset: the default was in force already.")
    return htmx.go(request, reverse("settings_store:list"))


def _to_list(scope: str, name: str) -> HttpResponse:
    return redirect(f"{reverse('settings_store:list')}?{urlencode({'saved': key(scope, name)})}")


def _saved(setting_key: str) -> Any:
    scope, _, name = setting_key.partition(":")
    row = store.find(name, scope) if name else None
    return after_saving(row) if row else None


def _explain(request: HttpRequest, form: Any, error: InvalidError | ConflictError, name: str) -> None:
    field = getattr(error, "field", "")
    form.add_error(field if field in form.fields else None, " ".join(filter(None, (error.message, error.next_step))))
    # What is refused may be a secret in the wrong field: the log gets known names and the reason, nothing typed.
    label = name if name in ENTRIES else "a setting that is not known"
    details = {"field": field or "form", "reason": type(error).__name__}
    log.refuse(Action.REFUSED, Subject("setting", "", label), actor=actor_of(request), details=details)


def _proposal(name: str, given: Any) -> dict[str, str]:
    """Return what the form begins with: a known setting has its type, and is added as Local.

    A Global setting that is known is in the grid already; adding it overrides it on this server.
    """
    entry = ENTRIES.get(name.strip())
    if entry:
        return {"name": entry.name, "scope": Scope.LOCAL, "value_type": entry.value_type}
    return {"name": name, "scope": given.get("scope", Scope.LOCAL), "value_type": given.get("value_type", "Text")}


def _add_context(form: AddForm, near_miss: NearMissError | None = None) -> dict[str, Any]:
    there = set(rows().values_list("name", flat=True))
    absent = [entry for entry in ENTRIES.values() if not entry.pre_set and entry.name not in there]
    return {"form": form, "entry": form.entry, "absent": absent, "entries": ENTRIES.values(), "near_miss": near_miss}


def _load(setting_key: str) -> tuple[Setting | None, Entry | None, str, str]:
    scope, _, name = setting_key.partition(":")
    row = store.find(name, scope)
    if row is None and not store.is_pre_set(name, scope):
        raise NotFoundError(f"There is no {scope} setting {name} on this server.", next_step="Look at the list again.")
    return row, ENTRIES.get(name), scope, name


def _edit_form(row: Setting | None, entry: Entry | None, data: Any = None) -> EditForm:
    value_type = row.value_type if row else str(entry.value_type if entry else "Text")
    shown = "" if row and row.sealed is not None else (row.value if row else entry.default_text if entry else "")
    initial = {"value": shown, "seen": row.token if row else store.DEFAULT_TOKEN}
    return EditForm(data, value_type=value_type, entry=entry, stored=row is not None, initial=initial)


def _edit_context(
    request: HttpRequest, row: Setting | None, entry: Entry | None, scope: str, name: str, form: EditForm
) -> dict[str, Any]:
    line = next(one for one in grid.lines() if one.key == key(scope, name))
    elsewhere = Setting.objects.filter(name=name, scope=Scope.LOCAL).values_list("server_id", flat=True)
    return {
        "row": row,
        "entry": entry,
        "line": line,
        "form": form,
        "notices": guards.notices(name),
        "findings": [one for one in snapshot.findings() if name in one.names],
        "servers": [(server, server.id in set(elsewhere)) for server in Server.objects.order_by("fqdn")]
        if scope == Scope.LOCAL
        else [],
        "may_change": user_of(request).may(Capability.MANAGE_SETTINGS),
        "may_reset": line.pre_set and row is not None,
    }
