"""One look at everything that the worker puts out for clients and for the listener: cheap when nothing has changed."""

from console.lib import clock
from console.servers.models import Server
from keys import saga
from trust.issuing import filing
from trust.publishing import carried, publishing


def look(server: Server) -> str:
    """Queue what is due to be signed, and hand the listener its keys; return what was found, for the job's row.

    A key store that does not open keeps the listener on the keys it has. That is said, and tried again by the next
    look: as a failure of the job it would be an entry of the log every ten seconds.
    """
    carried.withdraw(server, clock.now())
    documents = publishing.start_due(server)
    try:
        filed = " The listener has new keys." if filing.file_if_changed(server) else ""
    except saga.FAULTS as fault:
        filed = f" The listener keeps the keys it has: {fault.message}"
    return f"{documents}{filed}"
