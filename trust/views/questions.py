"""Home > ask a question, its answers as they come, and the questions of before."""

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from console.accounts.asking import actor_of, user_of
from console.lib import clock, htmx, keyset
from console.lib.access import access
from console.lib.capability import Capability
from console.lib.errors import NotFoundError
from console.lib.passive import passive
from console.servers.current import current
from trust.clients import counting
from trust.models.questions import Answer, Question, QuestionKind
from trust.questions import asking, results
from trust.questions.forms import AskForm


@require_GET
@access(Capability.SEE_QUESTIONS)
def questions(request: HttpRequest) -> HttpResponse:
    """List the questions, the newest first."""
    rows = Question.objects.filter(server=current()).select_related("document")
    page = keyset.page(rows, sort="-asked_at", cursor=request.GET.get("at", ""))
    context = {"page": page, "now": clock.now(), "may_ask": user_of(request).may(Capability.ASK_QUESTIONS)}
    return render(request, _part(request, "trust/questions/list.html", "grid"), context)


@require_http_methods(["GET", "HEAD", "POST"])
@access(Capability.ASK_QUESTIONS)
def ask(request: HttpRequest) -> HttpResponse:
    """Ask a question, and go to its page."""
    form = AskForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        kind = QuestionKind(form.cleaned_data["kind"])
        question = asking.ask(kind, actor=actor_of(request), open_for=form.open_for)
        return redirect("trust:question", question.pk)
    context = {"form": form, "connected": counting.last().of("clients.connected")}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, "trust/questions/ask.html", context, status=status)


@require_GET
@access(Capability.SEE_QUESTIONS)
def question(request: HttpRequest, question_id: UUID) -> HttpResponse:
    """Show a question with its answers."""
    return render(request, _part(request, "trust/questions/question.html", "results"), _context(request, question_id))


@passive
@require_GET
@access(Capability.SEE_QUESTIONS)
def question_results(request: HttpRequest, question_id: UUID) -> HttpResponse:
    """Show only what may have changed: the page asks for it by itself."""
    return render(request, "trust/questions/question.html#results", _context(request, question_id))


def _context(request: HttpRequest, question_id: UUID) -> dict[str, object]:
    row = Question.objects.filter(pk=question_id).select_related("server", "document").first()
    if row is None:
        raise NotFoundError("There is no such question.", next_step="Look at the list of questions.")
    now = clock.now()
    answers = Answer.objects.filter(question=row).select_related("client")
    at = request.GET.get("at", "")
    page = keyset.page(answers, sort="-id", cursor=at)
    names = results.root_names(row)
    found = results.results(row, now)
    return {
        "question": row,
        "results": found,
        "page": page,
        "rows": [(answer, results.readable(answer.value, names)) for answer in page.rows],
        "may_ask": user_of(request).may(Capability.ASK_QUESTIONS),
        "may_read": user_of(request).may(Capability.READ),
        # A page that somebody reads further down does not move under the reader.
        "wait_ms": 0 if at else found.wait_ms,
    }


def _part(request: HttpRequest, template: str, part: str) -> str:
    return f"{template}#{part}" if htmx.wants_fragment(request) else template
