"""One page that shows every part of the console, for tests of the parts themselves."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from console.lib import clock, digest, htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import ConflictError


class Sample(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Token name", help_text="As the module names it, exactly.")
    scope = forms.ChoiceField(choices=[("local", "Local"), ("global", "Global")])
    when = forms.ChoiceField(widget=forms.RadioSelect, choices=[("now", "Now"), ("later", "On a date")])
    sure = forms.BooleanField(label="I have made a backup")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    key_file = forms.FileField(required=False)


@access(Capability.PUBLIC)
def parts(request: HttpRequest) -> HttpResponse:
    """Show the parts; as a fragment, the dialog."""
    dialog = bool(request.htmx)  # type: ignore[attr-defined]
    form = Sample(request.POST or None, auto_id="dialog_%s" if dialog else "id_%s")
    if form.is_valid():
        return htmx.toast(HttpResponse(status=204), "ok", "Root 1 was created")
    context = {"form": form, "fingerprint": digest.sha256_hex(b"a key"), "then": clock.now()}
    fragment = ("#form" if request.method == "POST" else "#dialog") if dialog else ""
    return render(request, f"sample.html{fragment}", context, status=422 if request.method == "POST" else 200)


@access(Capability.PUBLIC)
def conflict(_request: HttpRequest) -> HttpResponse:
    """Refuse."""
    raise ConflictError("Root 0 was revoked a moment ago. Nothing was changed.", code="CKR_X", next_step="Look again.")


@access(Capability.PUBLIC)
def broken(_request: HttpRequest) -> HttpResponse:
    """Fail in a way that nobody foresaw."""
    raise RuntimeError("a fault with a secret in it")


urlpatterns = [
    path("sample/", parts, name="sample"),
    path("sample/conflict/", conflict, name="sample-conflict"),
    path("sample/broken/", broken, name="sample-broken"),
    path("", include("console.urls")),
]
