"""The members of a group: who belongs to it, and in which role (ROL-09)."""

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import actor_of, user_of
from console.accounts.models import User
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import InvalidError
from hsm import members as membership
from hsm.models.groups import Group, GroupRole
from hsm.rights import Right, rights
from hsm.views.scope import group_of, may_manage

ROLE_DESCRIPTIONS = {
    GroupRole.ADMINISTRATOR: "manages the group: connections, policy, keys and members",
    GroupRole.MEMBER: "uses its keys, and changes nothing",
    GroupRole.AUDITOR: "looks at everything, and uses nothing",
}
MOST_PROPOSALS = 200


@dataclass(frozen=True)
class Ask:
    """What a dialog says before it acts."""

    title: str
    verb: str
    icon: str
    lead: str
    kind: str = "primary"


class RoleForm(forms.Form):
    """A role in the group."""

    role = forms.ChoiceField(
        label="Role in the group",
        choices=[(role.value, f"{role.label}: {ROLE_DESCRIPTIONS[role]}") for role in GroupRole],
        widget=forms.RadioSelect,
    )


class AddForm(RoleForm):
    """A user by name, and a role."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        help_text="Of an active user of this console. Administrators of the console need no membership.",
        widget=forms.TextInput(
            attrs={"list": "users", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    field_order = ("username", "role")


@require_GET
@access(Capability.SIGNED_IN)
def members(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """List the members of a group."""
    group = group_of(request, group_id, Right.SEE)
    context = {
        "group": group,
        "tab": "members",
        "members": membership.of(group),
        "may_manage": may_manage(request, group),
        "may_read": user_of(request).may(Capability.READ),
        "descriptions": [(role.label, ROLE_DESCRIPTIONS[role]) for role in GroupRole],
    }
    return render(request, "hsm/members/members.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def add(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Add a user to the group."""
    group = group_of(request, group_id, Right.MANAGE)
    form = AddForm(request.POST if request.method == "POST" else None, initial={"role": GroupRole.MEMBER})
    if form.is_valid():
        try:
            role = GroupRole(form.cleaned_data["role"])
            member = membership.add(group, form.cleaned_data["username"], role, actor=actor_of(request))
        except InvalidError as error:
            form.add_error(error.field, error.message)
        else:
            return _done(request, group, f"{member.user.username} is now {role.label} of “{group.title}”.")
    ask = Ask(f"Add a member to {group.title}?", "Add Member", "user-plus", "The user sees the group at once.")
    return _render(request, group, ask, form, _proposals(user_of(request), group))


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def change_role(request: HttpRequest, group_id: UUID, user_id: UUID) -> HttpResponse:
    """Give a member another role."""
    group = group_of(request, group_id, Right.MANAGE)
    member = membership.find(group, user_id)
    form = RoleForm(request.POST if request.method == "POST" else None, initial={"role": member.role})
    if form.is_valid():
        role = GroupRole(form.cleaned_data["role"])
        membership.change_role(member, role, actor=actor_of(request))
        return _done(request, group, f"{member.user.username} is now {role.label} of “{group.title}”.")
    name = member.user.username
    ask = Ask(f"Change the role of {name}?", "Change Role", "user-cog", "It counts from the next request on.")
    return _render(request, group, ask, form)


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.SIGNED_IN, recent=True)
def remove(request: HttpRequest, group_id: UUID, user_id: UUID) -> HttpResponse:
    """End a membership."""
    group = group_of(request, group_id, Right.MANAGE)
    member = membership.find(group, user_id)
    if request.method == "POST":
        membership.remove(member, actor=actor_of(request))
        return _done(request, group, f"{member.user.username} is no member of “{group.title}” any more.")
    name = member.user.username
    lead = f"{name} sees the group and its keys no longer, unless a role in the console allows it."
    ask = Ask(f"Remove {name} from {group.title}?", "Remove Member", "user-off", lead, "danger-solid")
    return _render(request, group, ask, forms.Form())


def _render(
    request: HttpRequest, group: Group, ask: Ask, form: forms.Form, proposals: list[str] | None = None
) -> HttpResponse:
    context = {"group": group, "ask": ask, "form": form, "proposals": proposals or [], "url": request.path}
    part = "#form" if form.is_bound else "#dialog"
    template = f"hsm/members/ask.html{part if htmx.wants_fragment(request) else ''}"
    return render(request, template, context, status=422 if form.is_bound else 200)


def _done(request: HttpRequest, group: Group, said: str) -> HttpResponse:
    """Go back to the members, or, for who is none any more, to the groups."""
    messages.success(request, said)
    sees = Right.SEE in rights(user_of(request), group)
    return htmx.go(request, reverse("hsm:members", args=[group.pk]) if sees else reverse("hsm:groups"))


def _proposals(user: User, group: Group) -> list[str]:
    """Return names to choose from, for who may see the list of users anyway."""
    if not user.may(Capability.READ):
        return []
    others = User.objects.filter(is_active=True).exclude(group_memberships__group=group)
    return list(others.order_by("username").values_list("username", flat=True)[:MOST_PROPOSALS])
