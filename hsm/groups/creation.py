"""Make a group (GRP-01 to GRP-22). A group with wrong or incomplete connection data is made all the same."""

import uuid
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from console.activity import log
from console.lib import clock
from console.lib.actor import Actor
from console.lib.errors import ConflictError
from console.servers.current import current
from hsm.actions import Action
from hsm.connections.editing import described, insert
from hsm.connections.entering import Entered
from hsm.connections.requests import request_test
from hsm.groups.trusting import TrustEntry, put_trust, stage_pair
from hsm.models.drafts import ConnectionDraft
from hsm.models.groups import Group, GroupKind
from hsm.refusals import recorded


@dataclass(frozen=True)
class HsmEntry:
    """The HSM part of the form: the type, the first connection, and what its gateway's certificate is checked by."""

    hsm_type: str
    connection: Entered
    trust: TrustEntry


def create(
    title: str,
    description: str,
    hsm: HsmEntry | None = None,
    *,
    draft: ConnectionDraft | None = None,
    actor: Actor,
) -> Group:
    """Make a group: with `hsm` its keys are in an HSM, without in this server's pki.db.

    Its first connection is tested by a job. Raises ConflictError when a group has that title.
    """
    group = Group(
        id=draft.group_ref if draft else uuid.uuid4(),
        server=current(),
        title=title,
        description=description,
        kind=GroupKind.HSM if hsm else GroupKind.SOFTWARE,
        created_at=clock.now(),
        created_by=actor.name,
    )
    with recorded(Action.GROUP_CREATED, group.subject, actor=actor), title_is_free(title), transaction.atomic():
        details: dict[str, object] = {"kind": group.get_kind_display()}
        if hsm:
            group.hsm_type = hsm.hsm_type
            put_trust(group, hsm.trust)
        group.save(force_insert=True)
        if hsm:
            staged = stage_pair(group, hsm.trust, draft, actor=actor)
            connection = insert(group, hsm.connection, draft)
            details |= {"HSM Type": group.get_hsm_type_display(), **described(connection)}
            if not staged:
                request_test(group, actor=actor)
        log.append(Action.GROUP_CREATED, group.subject, actor=actor, details=details)
    return group


class title_is_free:  # noqa: N801 - reads as a sentence where it is used
    """Turns a second group of a title into a ConflictError."""

    def __init__(self, title: str) -> None:
        self.title = title

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, IntegrityError) and Group.objects.filter(title=self.title, deleted_at=None).exists():
            raise ConflictError(
                f"There is a group named “{self.title}” already. Nothing was saved.",
                code="title-taken",
                next_step="Choose another title.",
            ) from error
