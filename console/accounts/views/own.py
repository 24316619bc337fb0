"""One's own account."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from console.accounts import directory, sections, sessions, users
from console.accounts.asking import user_of
from console.accounts.forms import UserForm
from console.lib.access import access
from console.lib.capability import Capability


@access(Capability.SIGNED_IN)
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change one's name and email; roles are shown only."""
    user = user_of(request)
    form = UserForm(request.POST or None, initial={"display_name": user.display_name, "email": user.email})
    if form.is_valid():
        users.rename(user, actor=user.actor, **form.cleaned_data)
        messages.success(request, "Your profile was saved.")
        return redirect("accounts:profile")
    about = sections.sections(user, viewer=user)
    context = {"form": form, "cards": directory.roles_of(user), "sections": about}
    return render(request, "accounts/profile.html", context, status=422 if form.is_bound else 200)


@access(Capability.SIGNED_IN)
def security(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Go to the page of password and second factor."""
    return redirect("mfa_index")


@require_POST
@access(Capability.SIGNED_IN)
def end_own_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """End one of one's own sessions."""
    user = user_of(request)
    sessions.end(user, session_id, actor=user.actor)
    messages.success(request, "The session was ended.")
    return redirect("usersessions_list")
