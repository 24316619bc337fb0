"""Open the material of an import. Worker only."""

from typing import TypedDict

from console.lib.errors import ConsoleError
from console.lib.opening import worker_pair
from console.lib.secret import Secret
from hsm.models.objects import KeyMaterial, SecurityObject
from hsm.objects.importing import MATERIAL, PASSPHRASE, SPELLING
from hsm.objects.offer import Spelling


class Opened(TypedDict):
    """What `material.read` takes."""

    value: Secret
    spelling: Spelling
    passphrase: Secret | None


def opened(key: SecurityObject) -> Opened:
    """Open what is to be imported; raises ConsoleError when it is gone or does not open."""
    row = KeyMaterial.objects.select_related("job").filter(object=key).first()
    if row is None:
        raise ConsoleError(
            f"What was to be imported as {key.name} is gone: it is kept for one attempt only. Nothing was imported.",
            code="MATERIAL_GONE",
            next_step="Import it again.",
        )
    pair, row_id = worker_pair(), str(key.pk)
    passphrase = row.sealed_passphrase
    return Opened(
        value=pair.open(bytes(row.sealed), purpose=MATERIAL, row_id=row_id),
        spelling=Spelling(row.job.param(SPELLING)),
        passphrase=pair.open(bytes(passphrase), purpose=PASSPHRASE, row_id=row_id) if passphrase else None,
    )
