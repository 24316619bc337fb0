"""Celery tasks of this app."""

from django.db import transaction

from console.activity import log
from console.activity.models import Outcome
from console.jobs.running import Run, job_task
from console.lib.errors import RefusedError
from console.servers.current import current
from hsm import check, forgetting, rebinding, tokens
from hsm.actions import Action
from hsm.browsing import exporting
from hsm.connections import health, testing
from hsm.device.objects import Operation
from hsm.groups import clientpairs, deletion
from hsm.jobs import (
    CHECK,
    CHECK_CONNECTIONS,
    DELETE_GROUP,
    DELETE_OBJECT,
    EXPIRE_USES,
    EXPORT_OBJECTS,
    FOLLOW_PIN,
    GENERATE_OBJECT,
    IMPORT_OBJECT,
    LIST_TOKENS,
    PERMIT_OBJECT,
    REBIND,
    RECONCILE_OBJECTS,
    RELEASE,
    REMOVE_PRIVATE,
    ROTATE_OBJECT,
    SYNC,
    SYNC_DUE,
    TAKE_CLIENT_PAIR,
    TEST_CONNECTIONS,
    TEST_DRAFT,
    USE_KEY,
)
from hsm.models.groups import Group
from hsm.models.tokens import TokenBinding
from hsm.objects import changing, making, reconciler
from hsm.objects.forgetting import forget
from hsm.objects.permissions import OPERATIONS
from hsm.syncing import periodic, running
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


@job_task(GENERATE_OBJECT)
def generate_object(run: Run) -> str:
    """Make a key."""
    return _make(run, "is generated")


@job_task(IMPORT_OBJECT)
def import_object(run: Run) -> str:
    """Import a key; its material is forgotten, however this attempt ends."""
    try:
        return _make(run, "is imported")
    finally:
        forget(run.job.subject_id)


@job_task(ROTATE_OBJECT)
def rotate_object(run: Run) -> str:
    """Make the successor of a key."""
    return _make(run, "is made and has taken over the name")


def _make(run: Run, what: str) -> str:
    made = making.make(run.job.subject_id, actor=run.actor)
    run.result |= {"object": str(made.key.pk), "served by": made.served_by}
    return making.outcome(made.key, what)


@job_task(PERMIT_OBJECT)
def permit_object(run: Run) -> str:
    """Change the permissions of a key in its device, then of its virtual key."""
    wanted = frozenset(Operation(value) for value in run.job.param(OPERATIONS))
    return changing.permit(run, wanted, actor=run.actor)


@job_task(REMOVE_PRIVATE)
def remove_private(run: Run) -> str:
    """Destroy the private component of a key in its device."""
    return changing.remove_private(run, actor=run.actor)


@job_task(DELETE_OBJECT)
def delete_object(run: Run) -> str:
    """Destroy a key in its device, then delete its row."""
    return changing.destroy(run, actor=run.actor)


@job_task(RECONCILE_OBJECTS)
def reconcile_objects(_run: Run) -> str:
    """Look after keys whose work was interrupted."""
    return reconciler.reconcile(current())


@job_task(SYNC)
def sync_keys(run: Run) -> str:
    """Sync the keys of a group with its HSM."""
    return running.sync(Group.objects.get(pk=run.job.subject_id), run=run)


@job_task(SYNC_DUE)
def sync_due(_run: Run) -> str:
    """Queue the syncs of groups that have an interval, and take away what lost ones wrote ahead."""
    server = current()
    periodic.clear(server)
    started = periodic.start_due(server)
    return f"{started} syncs begun." if started else "No sync is due."


@job_task(EXPORT_OBJECTS)
def export_objects(run: Run) -> str:
    """Write security objects to a file that the page of exports offers."""
    return exporting.export(run)
