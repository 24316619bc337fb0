"""The verbs of Advanced Settings. Each is atomic and writes one activity entry for each setting it changes.

They work on the rows of this server and on global rows; nothing here reaches another server's local rows (AMB-09).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction

from console.activity import log
from console.jobs import kinds, queue
from console.lib import clock
from console.lib.actor import Actor
from console.lib.digest import canonical_json, sha256_hex
from console.lib.errors import ConflictError, InvalidError, NotFoundError
from console.lib.search import NUL
from console.servers.current import current
from settings_store import contradictions, guards, parsing, snapshot
from settings_store.actions import Action
from settings_store.catalogue import ENTRIES, ROTATIONS, Entry, Scope, ValueType, near_miss
from settings_store.errors import ChangedMeanwhileError, NearMissError, PreSetError
from settings_store.models import FormerValue, Setting, key
from settings_store.sealing import seal
from settings_store.values import rows

DEFAULT_TOKEN = "default"  # noqa: S105 - what a form sends back for a setting that has no row yet


def add(
    name: str, typed: str, *, scope: str, value_type: str, actor: Actor, keep_unknown_name: bool = False
) -> Setting:
    """Store a new row and return it.

    Raises InvalidError (NearMissError unless `keep_unknown_name`), or ConflictError when the row exists.
    """
    name = parsing.name(name)
    if not keep_unknown_name and (suggestion := near_miss(name)):
        raise NearMissError(name, suggestion)
    chosen_scope, kind = parsing.place(ENTRIES.get(name), scope, value_type)
    there = ConflictError(
        f"{name} exists already as a {chosen_scope} setting. Nothing was stored.",
        next_step="Click its name in the grid to change its value.",
    )
    with transaction.atomic():
        if is_pre_set(name, chosen_scope) or rows().filter(name=name, scope=chosen_scope).exists():
            raise there
        try:
            row = _insert(name, typed, chosen_scope, kind, actor)
        except ChangedMeanwhileError as error:
            raise there from error
        _refuse_blocking([name])
    return row


def change(name: str, typed: str | None, *, scope: str, seen: str, actor: Actor) -> Setting | None:
    """Give a setting a new value and return its row; None as `typed` keeps what is there (SET-08).

    `seen` is the token of the row that the form showed. Raises InvalidError, NotFoundError, ChangedMeanwhileError.
    """
    with transaction.atomic():
        row = find(name, scope, lock=True)
        _check_seen(row, name, seen)
        if typed is None:
            return row
        if row is None:
            entry = _pre_set(name, scope)
            if parsing.value(name, entry.value_type, typed).value == entry.default_text:
                return None
            row = _insert(name, typed, Scope.GLOBAL, entry.value_type, actor, before=entry.default_text)
        else:
            _update(row, typed, actor)
        _refuse_blocking([name])
    return row


def save_local(changes: Mapping[str, str | None], *, seen: str, actor: Actor) -> None:
    """Set several known local settings of this server, all or none: None keeps, an empty text deletes.

    `seen` is what `seen_of` returned for these names when the form was shown. Raises InvalidError, whose `field` is
    the name of the setting, or ChangedMeanwhileError.
    """
    with transaction.atomic():
        if seen != seen_of(changes):
            raise ChangedMeanwhileError("One of these settings", "what the page shows now", "")
        for name, typed in changes.items():
            row = find(name, Scope.LOCAL, lock=True)
            try:
                if typed:
                    _update(row, typed, actor) if row else _insert_local(name, typed, actor)
                elif row and typed is not None:
                    _remove(row, actor)
            except InvalidError as error:
                raise InvalidError(error.message, field=name) from error
        _refuse_blocking(changes)


def seen_of(names: Iterable[str]) -> str:
    """Return what a form of several local settings must send back to prove what it showed."""
    tokens = {row.name: row.token for row in rows().filter(name__in=list(names), scope=Scope.LOCAL)}
    return sha256_hex(canonical_json(tokens))


def delete(keys: Collection[str], *, actor: Actor, forget: bool = False) -> list[str]:
    """Delete rows named by `Scope:Name`, all or none, and return their names.

    `forget` also gives up what lives by them (`settings_store.guards`). Raises PreSetError, NotFoundError.
    """
    with transaction.atomic():
        found = [_existing(wanted) for wanted in sorted(set(keys))]
        if fixed := [row.name for row in found if is_pre_set(row.name, row.scope)]:
            raise PreSetError(fixed)
        names = [row.name for row in found]
        if forget:
            guards.forget(names, actor=actor)
        for row in found:
            _remove(row, actor)
    return names


def reset_to_default(keys: Iterable[str], *, actor: Actor) -> list[str]:
    """Give pre-set settings their defaults back, all or none, and return the names of those that had changed."""
    with transaction.atomic():
        wanted = [_split(one) for one in sorted(set(keys))]
        entries = [_pre_set(name, scope) for scope, name in wanted]
        changed = [row for entry in entries if (row := find(entry.name, Scope.GLOBAL, lock=True))]
        Setting.objects.filter(pk__in=[row.pk for row in changed]).delete()
        for row in changed:
            _start_job(row, actor)
        for row in changed:
            details = _details(row) | {"from": row.value, "to": ENTRIES[row.name].default_text}
            log.append(Action.RESET, row.subject, actor=actor, details=details)
            _log_raised(row, actor)
    return [row.name for row in changed]


def find(name: str, scope: str, *, lock: bool = False) -> Setting | None:
    """Return the row of this server (or the global one), or None."""
    if NUL in f"{scope}{name}":
        return None  # no row has one, and PostgreSQL fails at it
    candidates = rows().filter(name=name, scope=scope)
    return (candidates.select_for_update(of=("self",)) if lock else candidates).first()


def is_pre_set(name: str, scope: str) -> bool:
    """Whether this row is part of the console; a local row of the same name only overrides it here."""
    entry = ENTRIES.get(name)
    return bool(entry and entry.pre_set and scope == Scope.GLOBAL)


def forget_former(name: str, *, kept: Collection[str] = ()) -> None:
    """Delete the former values of a setting of this server, but for those of the versions in `kept`."""
    for row in FormerValue.objects.filter(name=name, server=current()):
        if f"{row.setting_id}.{row.version}" not in kept:
            row.delete()


def _insert(
    name: str, typed: str, scope: Scope, kind: ValueType, actor: Actor, *, before: str | None = None
) -> Setting:
    parsed = parsing.value(name, kind, typed)
    row = Setting(
        name=name,
        scope=scope,
        server=current() if scope is Scope.LOCAL else None,
        value_type=kind,
        changed_at=clock.now(),
        changed_by=actor.name,
    )
    _put(row, parsed)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        # In the same instant: neither had seen a row.
        raise _changed(find(name, scope), name) from error
    _start_job(row, actor)
    if before is None:
        log.append(Action.ADDED, row.subject, actor=actor, details=_details(row) | {"value": row.shown})
    else:
        log.append(Action.CHANGED, row.subject, actor=actor, details=_details(row) | {"from": before, "to": row.shown})
    _log_raised(row, actor)
    return row


def _insert_local(name: str, typed: str, actor: Actor) -> Setting:
    return _insert(name, typed, Scope.LOCAL, ENTRIES[name].value_type, actor)


def _update(row: Setting, typed: str, actor: Actor) -> None:
    parsed, before = parsing.value(row.name, ValueType(row.value_type), typed), row.shown
    if parsed.secret is None and parsed.value == before:
        return
    _keep_former(row)
    row.version += 1
    row.changed_at, row.changed_by = clock.now(), actor.name
    _put(row, parsed)
    row.save()
    _start_job(row, actor)
    log.append(Action.CHANGED, row.subject, actor=actor, details=_details(row) | {"from": before, "to": row.shown})
    _log_raised(row, actor)


def _remove(row: Setting, actor: Actor) -> None:
    _keep_former(row)
    _start_job(row, actor)
    Setting.objects.filter(pk=row.pk).delete()
    log.append(Action.DELETED, row.subject, actor=actor, details=_details(row) | {"value": row.shown})


def _put(row: Setting, parsed: parsing.Parsed) -> None:
    row.value = parsed.value
    row.sealed = seal(parsed.secret, setting_id=row.id) if parsed.secret else None


def _split(wanted: str) -> tuple[str, str]:
    scope, _, name = wanted.partition(":")
    return scope, name


def _existing(wanted: str) -> Setting:
    scope, name = _split(wanted)
    if is_pre_set(name, scope):
        raise PreSetError([name])
    row = find(name, scope, lock=True)
    if row is None:
        raise NotFoundError(
            f"{name or wanted} is not there any more. Nothing was deleted.", next_step="Look at the list again."
        )
    return row


def _pre_set(name: str, scope: str) -> Entry:
    if not is_pre_set(name, scope):
        raise NotFoundError(f"{key(scope, name)} has no row and no default. Nothing was changed.")
    return ENTRIES[name]


def _check_seen(row: Setting | None, name: str, seen: str) -> None:
    if seen != (row.token if row else DEFAULT_TOKEN):
        raise _changed(row, name)


def _changed(row: Setting | None, name: str) -> ChangedMeanwhileError:
    shown = row.shown if row else (ENTRIES[name].default_text if name in ENTRIES else "")
    return ChangedMeanwhileError(name, shown, row.changed_by if row else "")


def _keep_former(row: Setting) -> None:
    entry = ENTRIES.get(row.name)
    if entry and entry.keeps_former and row.sealed is not None:
        FormerValue.objects.create(
            server=current(),
            name=row.name,
            setting_id=row.id,
            version=row.version,
            sealed=row.sealed,
            entered_at=row.changed_at,
            replaced_at=clock.now(),
        )


def _refuse_blocking(names: Collection[str]) -> None:
    for finding in snapshot.findings():
        if finding.blocking and not set(names).isdisjoint(finding.names):
            raise InvalidError(f"{finding.text} Nothing was stored.", field="value")


def _start_job(row: Setting, actor: Actor) -> None:
    entry = ENTRIES.get(row.name)
    if entry and entry.starts:
        queue.enqueue(kinds.get(entry.starts), subject=row.subject, actor=actor)


def _details(row: Setting) -> dict[str, Any]:
    return {"scope": row.scope, "value type": row.value_type}


def _log_raised(row: Setting, actor: Actor) -> None:
    """Record that a validity is raised above its window, whichever of the two was saved last (ROT-06)."""
    values = snapshot.plain(snapshot.effective_values())
    for kind in ROTATIONS:
        if row.name in {kind.duration, kind.window} and contradictions.raised(kind, values):
            hours = contradictions.effective_hours(kind, values)
            details = {"days": values[kind.duration], "window hours": values[kind.window], "effective hours": hours}
            log.append(Action.RAISED, row.subject, actor=actor, details=details)
