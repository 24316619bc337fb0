"""What an enrolment by credential has to know, in one round trip to the database.

SQL by hand because this is the hot path of the listener: the ORM would take four queries, or one that costs more to
write down than to answer. It is the same for PostgreSQL and SQLite; every comparison with a time is left to the
database, so that only words and numbers come back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from trust.clients import guesses, hotsql
from trust.clients.guesses import Guesses
from trust.models.clients import Client
from trust.models.credentials import Credential
from trust.models.guesses import WrongCredential

_SQL = """
SELECT credential.secret_sha256, credential.withdrawn_at IS NOT NULL, credential.expires_at <= %s,
       credential.uses >= credential.most_uses, client.id, client.state = 'revoked',
       client.reenrol_until > %s AND client.reenrol_key IN ('', %s),
       (SELECT SUM(tries) FROM {wrong} WHERE "window" = %s AND address = %s),
       (SELECT SUM(tries) FROM {wrong} WHERE "window" = %s AND credential = %s)
FROM (SELECT 1 AS one) AS always
LEFT JOIN {credential} AS credential ON credential.id = %s
LEFT JOIN {client} AS client ON client.name = %s AND client.authenticated = %s
"""
SQL = _SQL.format(
    wrong=WrongCredential._meta.db_table, credential=Credential._meta.db_table, client=Client._meta.db_table
)


@dataclass(frozen=True)
class Found:
    """`secret_sha256` is empty when there is no such credential, `client_id` null for a name that is not known."""

    secret_sha256: str = field(repr=False)
    is_withdrawn: bool
    is_expired: bool
    is_exhausted: bool
    client_id: UUID | None
    is_revoked: bool
    is_allowed: bool
    guesses: Guesses


def look_up(name: str, key: str, credential_id: UUID, address: str, now: datetime) -> Found:
    """Return what is known of a name that asks for `key` (a fingerprint), of a credential, and of wrong ones."""
    moment, began, row_id = map(hotsql.value, (now, guesses.window(now), credential_id))
    parameters = (moment, moment, key, began, guesses.origin(address), began, str(credential_id), row_id, name, True)
    row = hotsql.first_row(SQL, parameters)
    if row is None:
        raise LookupError("The query begins with one row, whatever joins.")
    secret, withdrawn, expired, exhausted, client_id, revoked, allowed, by_address, by_credential = row
    return Found(
        secret_sha256=secret or "",
        is_withdrawn=bool(withdrawn),
        is_expired=bool(expired),
        is_exhausted=bool(exhausted),
        client_id=None if client_id is None else UUID(str(client_id)),
        is_revoked=bool(revoked),
        is_allowed=bool(allowed),
        guesses=Guesses(int(by_address or 0), int(by_credential or 0)),
    )
