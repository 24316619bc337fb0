"""What is looked for in the activity log: one filter for the page and for the export."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import QuerySet

from console.activity.models import Entry

MOST_NAMES = 200


@dataclass(frozen=True)
class Wanted:
    """Every part may be empty. `subject` is found anywhere in the label, all other texts must be equal."""

    actor: str = ""
    action: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    subject: str = ""
    outcome: str = ""
    server: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return the filter that `as_params` wrote down."""
        times = {name: datetime.fromisoformat(params[name]) for name in ("since", "until") if params.get(name)}
        return cls(**{**params, "since": None, "until": None, **times})

    def as_params(self) -> dict[str, str]:
        """Return the parts in use as text, for a job's parameters and for the log."""
        texts = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return {name: text for name, text in texts.items() if text}

    def __bool__(self) -> bool:
        return bool(self.as_params())

    def entries(self) -> QuerySet[Entry]:
        """Return the entries that are wanted, in no order."""
        found = Entry.objects.all()
        equal = ("actor", "action", "subject_kind", "subject_id", "outcome", "server")
        found = found.filter(**{name: getattr(self, name) for name in equal if getattr(self, name)})
        if self.subject:
            found = found.filter(subject_label__icontains=self.subject)
        if self.since:
            found = found.filter(at__gte=self.since)
        if self.until:
            found = found.filter(at__lte=self.until)
        return found


def actors() -> list[str]:
    """Return who acted, in the order of the alphabet: one look into the index for each, never the whole log."""
    return _distinct("actor")


def actions() -> list[str]:
    """Return the names of the actions that the log holds."""
    return _distinct("action")


def _distinct(column: str) -> list[str]:
    found: list[str] = []
    names = Entry.objects.order_by(column).values_list(column, flat=True)
    while len(found) < MOST_NAMES:
        rest = names.filter(**{f"{column}__gt": found[-1]}) if found else names
        name = rest.first()
        if name is None:
            break
        found.append(name)
    return found
