"""Write a keystead-init.dat to disk, for set-up by script. On the worker's host: it opens the newest root."""

import os
from pathlib import Path

from django.db import transaction

from console.activity import log
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError
from console.servers.current import current
from trust.actions import Action
from trust.infrastructure import credentials, making
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted
from trust.models.credentials import Credential


def write(path: Path, wanted: Wanted, *, actor: Actor) -> Credential:
    """Make a file with a credential of its own and write it, readable by this user only; return the credential.

    Raises ConflictError when the path exists, InvalidError when it cannot be written, InitFileNotMadeError when the
    newest root cannot sign. Then nothing is left behind.
    """
    _check(wanted.limits)
    with transaction.atomic():
        credential = credentials.intend(current(), wanted.limits, actor=actor)
        secret, content = making.signed_file(credential, wanted.settings)
        Credential.objects.filter(pk=credential.pk).update(secret_sha256=making.digest(secret))
        told = {**credentials.details(credential), **wanted.settings, "path": str(path)}
        log.append(Action.INIT_FILE_WRITTEN, credential.subject, actor=actor, details=told)
        _write(path, content.reveal_bytes())
    return credential


def _check(limits: Limits) -> None:
    for value, most, name in (
        (limits.most_uses, credentials.MOST_USES_AT_MOST, "most-uses"),
        (limits.days, credentials.DAYS_AT_MOST, "days"),
    ):
        if not 1 <= value <= most:
            raise InvalidError(f"--{name} must be a whole number from 1 to {most:,}. Nothing was written.")
    if len(limits.note) > credentials.NOTE_LENGTH:
        raise InvalidError(f"--note has {credentials.NOTE_LENGTH} characters at most. Nothing was written.")


def _write(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists already. Nothing was written.") from error
    except OSError as error:
        raise InvalidError(f"{path} cannot be written: {error.strerror}. Nothing was written.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InvalidError(f"{path} cannot be written: {error.strerror}. Nothing was written.") from error
