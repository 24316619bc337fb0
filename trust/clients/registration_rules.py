"""Which registrations the settings allow. Pure: no Django, no database."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Flags:
    """The three settings that decide (TLS-14 to TLS-19, TLS-36)."""

    require_tls_315: bool
    require_tls_314: bool
    enable_314: bool


@dataclass(frozen=True)
class Reason:
    """Why a registration is refused: a word for logs, and a sentence for whoever reads the client's log."""

    code: str
    message: str


REFUSED_314 = Reason("protocol-disabled", "Protocol 314 is off on this server: enable_protocol_314_flag is 0.")
CERTIFIED_314 = Reason("no-certificate-in-314", "Protocol 314 has no client certificates. Register by protocol 315.")
TLS_314 = Reason("tls-required", "Client 7.2 must use TLS towards this server: require_client_tls_314_flag is 1.")
TLS_315 = Reason(
    "tls-required", "Client 7.4 or later must use TLS towards this server: require_client_tls_315_flag is 1."
)
ENROL = Reason(
    "enrol-first", "No certificate of this server's clients was shown. Enrol first: require_client_tls_315_flag is 1."
)


def refusal(flags: Flags, protocol: Literal[314, 315], *, using_tls: bool, certified: bool) -> Reason | None:
    """Return why a registration is refused, or None. `certified`: it came with a client certificate, in TLS."""
    if protocol == 314:
        if not flags.enable_314:
            return REFUSED_314
        if certified:
            return CERTIFIED_314
        return TLS_314 if flags.require_tls_314 and not using_tls else None
    if certified or not flags.require_tls_315:
        return None
    return ENROL if using_tls else TLS_315
