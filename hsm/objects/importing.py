"""Ask for the import of a key. For the web process: what was given is sealed in the request and read in the worker."""

from django.db import transaction

from console.jobs.models import Job
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import InvalidError
from console.lib.secret import Secret
from console.servers.current import sealing_public
from hsm.jobs import IMPORT_OBJECT
from hsm.models.groups import Group
from hsm.models.objects import KeyMaterial, ObjectState, Origin, SecurityObject
from hsm.objects import generation
from hsm.objects.generation import Wanted
from hsm.objects.offer import MOST_BYTES, Spelling

MATERIAL, PASSPHRASE = "import-material", "import-passphrase"  # what the values are sealed for
SPELLING = "spelling"  # a parameter of the job


@transaction.atomic
def request(
    group: Group,
    wanted: Wanted,
    value: Secret,
    *,
    spelling: Spelling,
    passphrase: Secret | None,
    actor: Actor,
    instead: SecurityObject | None = None,
) -> tuple[SecurityObject, Job]:
    """Write the intention to import a key, with its sealed material, and queue the work.

    `instead`: an import that failed before and is corrected by this one; its row goes. Raises InvalidError with the
    field that is wrong.
    """
    given = value.reveal_bytes()
    if not given:
        raise InvalidError("Paste the key, or choose its file.", field="value")
    if len(given) > MOST_BYTES:
        raise InvalidError(f"The key is longer than {MOST_BYTES // 1024} KiB. It was not read.", field="value")
    if instead:
        failed = SecurityObject.objects.filter(pk=instead.pk, state=ObjectState.FAILED, look_after=None)
        failed.filter(group=group).delete()
    key = generation.intend(group, wanted, Origin.IMPORTED, actor=actor)
    job = generation.enqueue(IMPORT_OBJECT, key, actor=actor, params={SPELLING: str(spelling)})
    public, row_id = sealing_public(), str(key.pk)
    KeyMaterial.objects.create(
        object=key,
        job=job,
        sealed=public.seal(given, purpose=MATERIAL, row_id=row_id),
        sealed_passphrase=public.seal(passphrase.reveal_bytes(), purpose=PASSPHRASE, row_id=row_id)
        if passphrase
        else None,
        created_at=clock.now(),
    )
    return key, job
