"""The list of users, one user, and the roles: for who may read."""

from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts import directory, factors, history, sections, sessions
from console.accounts.asking import user_of
from console.accounts.grants import GRANTS, SIGNED_IN, RoleKey
from console.accounts.models import Role, User
from console.lib import htmx, keyset, search
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError

SORTS = ("username", "-username")


@access(Capability.READ)
def users(request: HttpRequest) -> HttpResponse:
    """List the users; the signed-in one is marked (NAV-09)."""
    words = search.words(request)
    found = User.objects.filter(Q(username__icontains=words) | Q(display_name__icontains=words))
    sort = keyset.chosen(request.GET.get("sort"), SORTS, "username")
    page = keyset.page(found, sort=sort, cursor=request.GET.get("at", ""))
    context = {"rows": directory.rows(page.rows, you=user_of(request)), "page": page, "q": words}
    return render(request, f"accounts/users.html{'#grid' if htmx.wants_fragment(request) else ''}", context)


@access(Capability.READ)
def user(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show one user: roles and who granted them, second factor, sessions, what happened."""
    shown = find(user_id)
    context = {
        "shown": shown,
        "is_you": shown == request.user,
        "cards": directory.roles_of(shown),
        "is_last": directory.is_last_administrator(shown),
        "factor": factors.of(shown),
        "sessions": sessions.of(shown),
        "entries": history.of(shown),
        "sections": sections.sections(shown, viewer=user_of(request)),
    }
    return render(request, "accounts/user.html", context)


@access(Capability.READ)
def roles(request: HttpRequest) -> HttpResponse:
    """List the roles, what each allows, and who holds it."""
    cards = [
        {
            "role": role,
            "allows": [item for item in Capability if item in GRANTS[RoleKey(role.key)] - SIGNED_IN],
            "members": directory.members_of(role),
        }
        for role in Role.objects.all()
    ]
    return render(request, "accounts/roles.html", {"cards": cards})


def find(user_id: UUID) -> User:
    """Return a user; raises NotFoundError."""
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise NotFoundError("There is no such user.")
    return found
