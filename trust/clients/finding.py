"""Find a client by its id."""

from uuid import UUID

from trust.errors import ClientNotFoundError
from trust.models.clients import Client


def find(client_id: UUID | str) -> Client:
    """Return a client with its server, its root and its credential; raises ClientNotFoundError."""
    client = Client.objects.select_related("server", "root", "holding", "credential").filter(pk=client_id).first()
    if client is None:
        raise ClientNotFoundError(
            "There is no such client on this console.", next_step="Look for its name in Client Status."
        )
    return client
