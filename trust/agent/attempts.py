"""One piece of work that may fail: what happened goes into the log, and the next try is put off."""

from collections.abc import Callable
from datetime import datetime

from trust.agent.client import Client
from trust.agent.errors import AgentError, HandshakeError, RefusedError, UnreachableError
from trust.agent.pkilog import Level
from trust.agent.timing import Track
from trust.wire.errors import WireError


def attempt(client: Client, track: Track, what: str, work: Callable[[], datetime]) -> None:
    """Do the work; it returns when it is due again. No failure of server, network or disk leaves this."""
    name = client.state.name
    try:
        track.succeeded(work())
    except RefusedError as error:
        level = Level.INFO if error.status == 202 else Level.WARNING
        client.log.key(f"{what}-refused", name, f"{error.code}: {error.message}", level)
        track.failed(client.clock(), client.jitter, error.retry_after_s)
    except UnreachableError as error:
        level = Level.ERROR if isinstance(error, HandshakeError) else Level.WARNING
        client.log.tls(f"{what}-failed", name, f"{error.code}: {error.message}", level)
        client.server_index += 1
        track.failed(client.clock(), client.jitter)
    except OSError as error:
        disk_failed(client, track, what, error)
    except (AgentError, WireError) as error:
        client.log.key(f"{what}-failed", name, f"{error.code}: {error.message}", Level.ERROR)
        track.failed(client.clock(), client.jitter)


def disk_failed(client: Client, track: Track, what: str, error: OSError) -> None:
    """Come again: what is in doubt is in doubt on a full disk already, so nothing is lost by that."""
    client.log.key(f"{what}-failed", client.state.name, f"disk: {error.strerror}", Level.ERROR)
    track.failed(client.clock(), client.jitter)
