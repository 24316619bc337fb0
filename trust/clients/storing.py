"""Store the first certificate of a new name: client, certificate, and one use of the credential. All or none.

All the clients of one init file count in the row of one credential, which a transaction keeps to itself until its
commit is on the disk: one by one, each enrolment would wait for the disk alone. So those that a process serves at the
same time are stored together (`trust.clients.group_commit`), and none is answered before that commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import transaction

from trust.clients import hotsql
from trust.clients.group_commit import GroupCommit
from trust.clients.hotsql import Insertion
from trust.clients.turn import turn
from trust.errors import OvertakenError
from trust.models.certificates import Certificate
from trust.models.clients import Client
from trust.models.credentials import Credential

Values = Mapping[str, Any]
"""By the names of a model's columns; what is left out has the model's default."""


@dataclass(frozen=True)
class Newcomer:
    """The rows of a new name. `now` is when the credential has to count."""

    credential_id: UUID
    client: Values
    certificate: Values
    now: datetime


_USE = f"""
UPDATE {Credential._meta.db_table} SET uses = uses + %s
WHERE id = %s AND uses + %s <= most_uses AND withdrawn_at IS NULL AND expires_at > %s
"""  # noqa: S608 - our names
_IN_ONE = """
WITH used AS ({use} RETURNING id),
client AS ({client} WHERE EXISTS (SELECT FROM used) RETURNING id)
{certificate} WHERE EXISTS (SELECT FROM client)
"""


def store_first(newcomer: Newcomer) -> None:
    """Return when both rows and the use are on the disk.

    Raises OvertakenError when the credential was used up or withdrawn meanwhile, and IntegrityError when the name was
    taken meanwhile. Then nothing was stored.
    """
    _commits.store(newcomer)


def _commit(newcomers: list[Newcomer]) -> None:
    """Store all or none of the newcomers of one credential."""
    # In one order, whichever process: two transactions never wait for each other's names.
    newcomers.sort(key=lambda one: str(one.client["name"]))
    clients = hotsql.insertion(Client, tuple(newcomers[0].client))
    certificates = hotsql.insertion(Certificate, tuple(newcomers[0].certificate))
    use = _use(newcomers)
    client_values = clients.parameters([one.client for one in newcomers])
    certificate_values = certificates.parameters([one.certificate for one in newcomers])
    if hotsql.is_postgresql():
        sql = _in_one(clients, certificates, len(newcomers))
        if hotsql.execute(sql, [*use, *client_values, *certificate_values]) == 0:
            raise _overtaken()
        return
    with turn(), transaction.atomic():
        if hotsql.execute(_USE, use) == 0:
            raise _overtaken()
        hotsql.execute(clients.sql(len(newcomers)), client_values)
        hotsql.execute(certificates.sql(len(newcomers)), certificate_values)


def _use(newcomers: list[Newcomer]) -> list[Any]:
    number, credential_id, now = len(newcomers), newcomers[0].credential_id, max(one.now for one in newcomers)
    return [number, hotsql.value(credential_id), number, hotsql.value(now)]


def _overtaken() -> OvertakenError:
    return OvertakenError("The enrolment credential was used up or withdrawn meanwhile.")


@cache
def _in_one(clients: Insertion, certificates: Insertion, number: int) -> str:
    """Return the statement that does it all: one round trip, which is its own transaction."""
    return _IN_ONE.format(use=_USE, client=clients.sql(number), certificate=certificates.sql(number))


_commits = GroupCommit(_commit, lambda newcomer: newcomer.credential_id)
