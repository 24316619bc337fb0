"""Acts on users: each is a dialog, each asks for a recent sign-in."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts import factors, passwords, sessions, users
from console.accounts.asking import actor_of
from console.accounts.forms import FirstPasswordForm, NewUserForm, UserForm
from console.accounts.models import User
from console.accounts.views.dialogs import Act, ask
from console.accounts.views.users import find
from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability


def page_of(user: User) -> str:
    """Return the address of a user's page."""
    return reverse("accounts:user", args=[user.pk])


def open_sessions(user: User) -> str:
    """Return what becomes of the user's sessions."""
    number = len(sessions.of(user))
    return f"{number}, ended now" if number else "None"


@sensitive_post_parameters()
@access(Capability.MANAGE_USERS, recent=True)
def create(request: HttpRequest) -> HttpResponse:
    """Make a user with a first password that the Administrator types."""
    form = NewUserForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/new.html", {"form": form}, status=422 if form.is_bound else 200)
    names = {name: form.cleaned_data[name] for name in ("display_name", "email")}
    user = users.create(form.cleaned_data["username"], form.password, actor=actor_of(request), **names)
    messages.success(request, f"{user.username} was created. Grant a role so that {user.name} can see more than Home.")
    return htmx.go(request, page_of(user))


@access(Capability.MANAGE_USERS, recent=True)
def edit(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Change the name and the email of a user."""
    user = find(user_id)
    form = UserForm(request.POST or None, initial={"display_name": user.display_name, "email": user.email})
    act = Act(
        title=f"Edit {user.username}",
        lead="The user name stays: the activity log keeps it.",
        verb="Save",
        icon="device-floppy",
        done="Saved.",
        back=page_of(user),
        crumb=user.username,
    )
    return ask(request, act, lambda: users.rename(user, actor=actor_of(request), **form.cleaned_data), form)


@sensitive_post_parameters()
@access(Capability.MANAGE_USERS, recent=True)
def reset_password(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Give a user a new first password."""
    user = find(user_id)
    form = FirstPasswordForm(request.POST or None, user=user)
    act = Act(
        title=f"Reset the password of {user.username}?",
        lead="The present password stops working at once, and every session of this user ends.",
        verb="Reset Password",
        icon="password",
        done=f"{user.username} has a new first password. It opens once, within 24 hours.",
        back=page_of(user),
        kind="danger-solid",
        impact=(("Open sessions", open_sessions(user)),),
        crumb=user.username,
    )
    actor = actor_of(request)
    return ask(request, act, lambda: passwords.reset(user, form.password, actor=actor), form)


@access(Capability.MANAGE_USERS, recent=True)
def remove_factors(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Take the second factors from a user who lost them."""
    user = find(user_id)
    act = Act(
        title=f"Remove the second factors of {user.username}?",
        lead="Do this when the user lost them, and after you made sure who asks: the password alone opens then.",
        verb="Remove Second Factors",
        icon="shield-off",
        done=f"{user.username} has no second factor now.",
        back=page_of(user),
        kind="danger-solid",
        impact=(
            ("Second factor", f"{factors.of(user)}, removed with the recovery codes"),
            ("Open sessions", open_sessions(user)),
        ),
        crumb=user.username,
    )
    return ask(request, act, lambda: factors.remove_all(user, actor=actor_of(request)))


@access(Capability.MANAGE_USERS, recent=True)
def deactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Keep a user out."""
    user = find(user_id)
    act = Act(
        title=f"Deactivate {user.username}?",
        lead="The user can no longer sign in. Roles stay, for the case of a return, and the log keeps the name. What "
        "the user asked for goes on, planned revocations too: cancel on Background Jobs what should not.",
        verb="Deactivate User",
        icon="user-off",
        done=f"{user.username} was deactivated.",
        back=page_of(user),
        kind="danger-solid",
        impact=(("Open sessions", open_sessions(user)),),
        crumb=user.username,
    )
    return ask(request, act, lambda: users.deactivate(user, actor=actor_of(request)))


@access(Capability.MANAGE_USERS, recent=True)
def reactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Let a user sign in again."""
    user = find(user_id)
    held = ", ".join(user.memberships.values_list("role__name", flat=True)) or "None"
    act = Act(
        title=f"Reactivate {user.username}?",
        lead="The user can sign in again with the password and the second factors from before.",
        verb="Reactivate User",
        icon="user-check",
        done=f"{user.username} was reactivated.",
        back=page_of(user),
        impact=(("Roles", held),),
        crumb=user.username,
    )
    return ask(request, act, lambda: users.reactivate(user, actor=actor_of(request)))


@access(Capability.MANAGE_USERS, recent=True)
def end_session(request: HttpRequest, user_id: UUID, session_id: int) -> HttpResponse:
    """Sign a user out of one browser."""
    user = find(user_id)
    act = Act(
        title=f"End this session of {user.username}?",
        lead="The user must sign in again there. What was typed and not saved is lost.",
        verb="End Session",
        icon="logout",
        done="The session was ended.",
        back=page_of(user),
        kind="danger-solid",
        crumb=user.username,
    )
    return ask(request, act, lambda: sessions.end(user, session_id, actor=actor_of(request)))
