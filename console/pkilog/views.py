"""The viewer of this server's PKI log files (HSI-42, LOG-05, AMB-04)."""

from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.lib import htmx
from console.lib.access import access
from console.lib.capability import Capability
from console.pkilog import reading
from console.pkilog.line import Level
from console.pkilog.reading import Part, Wanted
from console.pkilog.writer import Log, folder


class LogFilter(forms.Form):
    """What the viewer shows."""

    level = forms.ChoiceField(required=False, choices=[("", "Any level"), *((level, level.title()) for level in Level)])
    text = forms.CharField(label="Contains", required=False, max_length=200)

    @property
    def wanted(self) -> Wanted:
        """Return the filter; an empty one when a field does not hold."""
        return Wanted(**self.cleaned_data) if self.is_valid() else Wanted()


@access(Capability.READ)
@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """Show a part of one file, newest line first."""
    files = reading.files()
    name = request.GET.get("file") or (files[0].name if files else Log.PKI.value)
    form = LogFilter(request.GET)
    before = request.GET.get("before", "")
    part = Part([], 0)
    if files or "file" in request.GET:
        part = reading.part(reading.path_of(name), form.wanted, before=int(before) if _is_offset(before) else 0)
    context = {"files": files, "name": name, "form": form, "wanted": form.wanted, "part": part}
    template = "pkilog/view.html#grid" if htmx.wants_fragment(request) else "pkilog/view.html"
    return render(request, template, context | {"is_first": not before, "folder": folder()})


@access(Capability.READ)
@require_safe
def download(_request: HttpRequest, name: str) -> FileResponse:
    """Hand out one file as it is."""
    path = reading.path_of(name)
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="text/plain; charset=utf-8")


def _is_offset(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 15
