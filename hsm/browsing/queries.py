"""Which security objects a user wants to see: one filter for the page and for the export."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import Q, QuerySet

from console.accounts.models import User
from console.lib import prefix  # noqa: F401 - the lookup `begins`
from hsm.models.groups import Group
from hsm.models.objects import MARKS, ObjectState, SecurityObject
from hsm.rights import visible_groups

OTHER = "other"  # the kinds of key that the console does not make
USABLE = "usable"
STATES: Mapping[str, Q] = {
    USABLE: Q(state=ObjectState.ACTIVE, deactivated_at=None, rotated_at=None, missing_since=None),
    **MARKS,
}
SORTS = ("-created_at", "created_at", "name", "-name")
# So many matches of a search are looked up one by one; more are so many that 50 of them are soon met on the way.
MOST_FOUND = 1_000
MOST_COUNTED = 1_000
HEX = re.compile(r"[0-9a-fA-F]+")
NOT_IN_HEX = re.compile(r"[\s:]")


@dataclass(frozen=True)
class Wanted:
    """Every part may be empty. `q` is how a name, a CKA_LABEL, a CKA_ID or a fingerprint begins."""

    q: str = ""
    group: str = ""
    spec: str = ""
    state: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return the filter that `as_params` wrote down."""
        return cls(**{name: str(params.get(name, "")) for name in ("q", "group", "spec", "state")})

    def as_params(self) -> dict[str, str]:
        """Return the parts in use, for a job's parameters and for the log."""
        return {name: text for name, text in asdict(self).items() if text}

    def __bool__(self) -> bool:
        return bool(self.as_params())

    def objects(self, user: User) -> QuerySet[SecurityObject]:
        """Return the objects that are wanted and that the user may see, in no order."""
        groups = set(visible_groups(user).values_list("pk", flat=True))
        found = _of_groups({one for one in groups if not self.group or str(one) == self.group})
        if self.spec:
            found = found.filter(spec="" if self.spec == OTHER else self.spec)
        if self.state:
            found = found.filter(STATES[self.state])
        return _searched(found, self.q.strip()) if self.q.strip() else found


def count_up_to(objects: QuerySet[SecurityObject]) -> int:
    """Return how many objects there are, or MOST_COUNTED + 1 for more: a full count takes longer the more there are."""
    return len(objects.order_by().values_list("pk")[: MOST_COUNTED + 1])


def _of_groups(groups: set[UUID]) -> QuerySet[SecurityObject]:
    if not groups:
        return SecurityObject.objects.none()
    if len(groups) == 1:
        return SecurityObject.objects.filter(group_id=next(iter(groups)))
    # By what is hidden, not by what is seen: a list of groups would have the database sort all their objects.
    hidden = list(Group.objects.exclude(pk__in=groups).values_list("pk", flat=True))
    return SecurityObject.objects.exclude(group_id__in=hidden) if hidden else SecurityObject.objects.all()


def _searched(objects: QuerySet[SecurityObject], text: str) -> QuerySet[SecurityObject]:
    """Narrow by one look into the index of each column; in one condition for all, the database would read every row."""
    digits = NOT_IN_HEX.sub("", text)
    columns = {"name_key": text, "label_key": text}
    if HEX.fullmatch(digits):
        columns |= {"key_id": digits, "fingerprint": digits}
    condition, found = Q(), set[UUID]()
    for column, beginning in columns.items():
        one = Q(**{f"{column}__begins": beginning})
        condition |= one
        found |= set(SecurityObject.objects.filter(one).order_by().values_list("pk", flat=True)[: MOST_FOUND + 1])
    return objects.filter(condition) if len(found) > MOST_FOUND else objects.filter(pk__in=found)
