"""The two views of an export: its page, and the file handed out. What may be exported is the caller's."""

from typing import Protocol
from uuid import UUID

from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from console.accounts.asking import user_of
from console.jobs.exports import Export, Filter, Leaving

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "zip": "application/zip"}


class FilterForm(Protocol):
    """A form whose `wanted` is empty while it does not hold."""

    fields: dict[str, forms.Field]

    @property
    def wanted(self) -> Filter:
        """What the form takes."""

    def is_valid(self) -> bool:
        """Whether every field holds."""


def sent(request: HttpRequest) -> QueryDict:
    """Return the filter that was sent: by the form of the page, or by the link that led to it."""
    return request.POST if request.method == "POST" else request.GET


def in_words(form: FilterForm) -> list[tuple[str, str]]:
    """Return the parts of the filter in use as label and text: a choice by its words, several in a row."""
    told = []
    for name, value in form.wanted.as_params().items():
        field = form.fields.get(name)
        words: dict[str, str] = {str(key): str(text) for key, text in getattr(field, "choices", ())}
        values = value if isinstance(value, list) else [value]
        text = ", ".join(words.get(one, str(one)) for one in values) or "Neither"
        told.append((str(getattr(field, "label", None) or name.capitalize()), text))
    return told


def page(request: HttpRequest, export: Export, form: FilterForm, template: str) -> HttpResponse:
    """Show what would be exported, and earlier exports; a POST with a form that holds asks for one."""
    posted = request.method == "POST"
    user = user_of(request)
    if posted and form.is_valid():
        export.request(form.wanted, actor=user.actor)
        return redirect(request.path)
    context = {"form": form, "wanted": form.wanted, "in_words": in_words(form), **export.shown(user)}
    return render(request, template, context, status=422 if posted else 200)


def hand_out(request: HttpRequest, leaving: Leaving, job_id: UUID) -> FileResponse:
    """Hand out a file to who may take it; raises NotFoundError."""
    job, path = leaving.take(job_id, user_of(request))
    content_type = CONTENT_TYPES[leaving.suffix]
    return FileResponse(path.open("rb"), as_attachment=True, filename=leaving.name_of(job), content_type=content_type)
