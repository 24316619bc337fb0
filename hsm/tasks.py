"""Celery tasks of this app."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.running import Run, job_task
from console.lib.errors import RefusedError
from hsm import check, forgetting, rebinding, tokens
from hsm.actions import Action
from hsm.connections import health, testing
from hsm.groups import clientpairs, deletion
from hsm.jobs import (
    CHECK,
    CHECK_CONNECTIONS,
    DELETE_GROUP,
    EXPIRE_USES,
    FOLLOW_PIN,
    LIST_TOKENS,
    REBIND,
    RELEASE,
    TAKE_CLIENT_PAIR,
    TEST_CONNECTIONS,
    TEST_DRAFT,
    USE_KEY,
)
from hsm.models.tokens import TokenBinding
from hsm.use import asking, using
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


@job_task(USE_KEY)
def use_key(run: Run) -> str:
    """Sign, verify, encrypt or decrypt what somebody asked on a key's page."""
    return using.use(run.job.param("use"), run)


@job_task(EXPIRE_USES)
def expire_uses(_run: Run) -> str:
    """Delete what used keys answered more than ten minutes ago."""
    return f"Deleted {asking.delete_expired()}."


# Groups and their connections


@job_task(TEST_CONNECTIONS)
def test_connections(run: Run) -> str:
    """Test a connection, or all of a group; what does not work is the answer, not an error."""
    outcomes = testing.test_subject(run.job, progress=run.progress)
    run.result["outcomes"] = testing.as_result(outcomes)
    return testing.told(outcomes)


@job_task(TEST_DRAFT)
def test_draft(run: Run) -> str:
    """Test a connection that is not saved."""
    outcome = testing.test_draft(run.job.subject_id)
    run.result["outcomes"] = testing.as_result([outcome])
    return testing.told([outcome])


@job_task(TAKE_CLIENT_PAIR)
def take_client_pair(run: Run) -> str:
    """Compare a client key with its certificate, and let the group use the two."""
    return clientpairs.take_over(run.job.subject_id, actor=run.actor)


@job_task(DELETE_GROUP)
def delete_group(run: Run) -> str:
    """Remove what is left of a deleted group."""
    count = deletion.remove_records(run.job.subject_id, progress=run.progress)
    return f"The records of {count} virtual keys were removed. Keys in the HSM were not touched."


@job_task(CHECK_CONNECTIONS)
def check_connections(_run: Run) -> str:
    """Look after connections in the background."""
    return health.check_due()
