"""Which settings of the server are told to clients. A client keeps each with the prefix `Server_`."""

from datetime import datetime, timedelta

from console.servers.models import Server
from settings_store import values
from settings_store.values import Source
from trust.models.documents import EVERYONE
from trust.wire.documents import Settings

FOR_CLIENTS = (
    "TLSMode",
    "ReportingTLSMode",
    "OptionalTLSMinAttemptCount",
    "OptionalTLSBackoffIntervalSeconds",
    "OptionalTLSMaxBackoffSeconds",
    "PKIClientTLSKeyRenewalWindowHours",
    "pki_client_tls_key_duration_days",
)
VALID = timedelta(days=7)


def payload(server: Server, sequence: int, now: datetime) -> Settings:
    """Return the settings as they count on this server now; one that is not set is left out."""
    return Settings(
        server=server.fqdn,
        audience=EVERYONE,
        sequence=sequence,
        issued_at=now,
        expires_at=now + VALID,
        settings=_effective(server),
    )


def _effective(server: Server) -> dict[str, int | str]:
    rows = list(values.rows(server).filter(name__in=FOR_CLIENTS))
    found = {name: values.chosen(name, [row for row in rows if row.name == name]) for name in FOR_CLIENTS}
    return {name: int(value.text) for name, value in found.items() if value.source is not Source.ABSENT}
