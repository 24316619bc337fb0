"""Which group or connection is asked for, and whether the user may: what the views of both have in common."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from console.accounts.asking import user_of
from console.lib.errors import NotFoundError
from hsm.models.groups import Connection, Group
from hsm.rights import Right, group_for, rights

# More than what multipart/form-data puts around a dozen fields (RFC 7578).
ENVELOPE_BYTES = 8 * 1024


def group_of(request: HttpRequest, group_id: UUID, right: Right) -> Group:
    """Return a group in which the user has the right; raises what `hsm.rights` does."""
    return group_for(user_of(request), group_id, right)


def connection_of(request: HttpRequest, connection_id: UUID, right: Right) -> Connection:
    """Return a connection of a group in which the user has the right."""
    found = Connection.objects.select_related("group").filter(pk=connection_id).first()
    if found is None:
        raise NotFoundError("There is no such connection any more.", next_step="Open the group again.")
    group_of(request, found.group_id, right)
    return found


def may_manage(request: HttpRequest, group: Group) -> bool:
    """Whether the user may change the group."""
    return Right.MANAGE in rights(user_of(request), group)


def dropped_files(request: HttpRequest) -> bool:
    """Say whether the upload handler let files pass by unread, because the request is too large for it."""
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if request.content_type != "multipart/form-data" or length <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return False
    typed = sum(len(value.encode()) for values in request.POST.lists() for value in values[1])
    return length - typed > ENVELOPE_BYTES
