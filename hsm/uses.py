"""Which uses exist for one token: the console's own keys, through a binding, and groups, through connections (AMB-42).

A connection names its token once a test has seen it. Label and serial number tell tokens apart, however they are
reached; where a module gives no serial number, only what the same module shows counts as the same token.
"""

from django.db.models import Q, QuerySet

from hsm.models.groups import Connection, Group
from hsm.models.tokens import TokenBinding


def groups_on(token: TokenBinding | Connection, groups: QuerySet[Group]) -> QuerySet[Group]:
    """Return those of `groups` that reach the token by one of their connections."""
    return groups.filter(pk__in=Connection.objects.filter(_is(token)).values("group"))


def bindings_on(token: Connection) -> QuerySet[TokenBinding]:
    """Return the bindings of this server through which the console keeps keys of its own on the token."""
    return TokenBinding.objects.filter(_is(token), server=token.group.server, forgotten_at=None)


def _is(token: TokenBinding | Connection) -> Q:
    if not token.label:
        return Q(pk__in=())  # not seen yet
    same = Q(label=token.label, serial=token.serial)
    return same if token.serial.strip("0") else same & Q(module_path=token.module_path)
