"""Celery tasks of this app."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.running import Run, job_task
from console.lib.errors import RefusedError
from hsm import check, forgetting, rebinding, tokens
from hsm.actions import Action
from hsm.jobs import CHECK, FOLLOW_PIN, LIST_TOKENS, REBIND, RELEASE
from hsm.models.tokens import TokenBinding
from settings_store import values


@job_task(CHECK)
def check_integration(run: Run) -> str:
    """Check the HSM integration, and record how it ended."""
    message = check.check(run)
    outcome = Outcome.SUCCEEDED if run.result["ok"] else Outcome.FAILED
    with transaction.atomic():
        log.append(Action.CHECKED, run.job.subject, actor=run.actor, outcome=outcome, details={"summary": message})
    return message


@job_task(LIST_TOKENS)
def list_tokens(run: Run) -> str:
    """List the tokens of the configured module."""
    path = values.text("HSMModulePath")
    if path is None:
        raise RefusedError("HSMModulePath is not set any more, so there is no module to ask.")
    module, found = tokens.read(path)
    run.result["module"] = f"{module.manufacturer}, {module.description} {module.library_version}"
    there = sum(token.initialized for token in found)
    return f"{there} initialised token{'' if there == 1 else 's'}."


@job_task(FOLLOW_PIN)
def follow_pin(run: Run) -> str:
    """Try a PIN that was entered anew on the tokens that hold keys."""
    key = run.job.subject_label.split(".")[1]
    followed = rebinding.follow_pin(key)
    if not followed:
        return "No key lives on that token yet. The PIN is tried by the check, or by the next key operation."
    return f"Accepted by {', '.join(followed)}."


@job_task(REBIND)
def rebind(run: Run) -> str:
    """Find the keys of a binding on the token that the settings name."""
    binding = TokenBinding.objects.get(pk=run.job.param("binding"))
    done = rebinding.rebind(binding, run.job.param("key"), actor=run.actor)
    run.result["found"] = [key.subject.label for key in done.found]
    run.result["missing"] = [key.subject.label for key in done.missing]
    told = f"{len(done.found)} keys are bound to {done.target.name}."
    if done.missing:
        told += f" Not found there, and left as they were: {', '.join(run.result['missing'])}."
    return told


@job_task(RELEASE)
def release_unused(_run: Run) -> str:
    """Erase the PINs of tokens that no key lives on any more."""
    released = forgetting.release_unused()
    return f"Released {', '.join(released)}." if released else "Every bound token holds a key."
