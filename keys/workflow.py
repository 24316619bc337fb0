"""The steps of a rotation of root keys, in their order, done or open (KEY-32 to KEY-38)."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import NoReverseMatch, reverse

from console.lib import durations
from keys import propagation, protection, revocation
from keys.backups_seen import LastBackup, last
from keys.standing import Standing


@dataclass(frozen=True)
class Step:
    """One step. `state` is done, open or idle (nothing to do now); `advice` says when it is a best practice only.

    `number` is empty for the wait between two steps.
    """

    number: str
    title: str
    text: str
    state: str
    detail: str
    url: str = ""
    link: str = ""
    advice: str = ""


def steps(standing: Standing, now: datetime) -> list[Step]:
    """Return the workflow as it stands on this server."""
    return [
        _encrypt(standing),
        _intervals(),
        _create(standing),
        _wait(standing, now),
        _revoke(standing),
        _back_up(standing),
    ]


def _encrypt(standing: Standing) -> Step:
    now = protection.state(standing.server)
    return Step(
        "1",
        "Encrypt pki.db with a password of your own",
        "Once on each server. Until then the private keys in pki.db are encrypted under this server's sealing key.",
        "done" if now.is_encrypted else "open",
        now.problem or f"pki.db of {standing.server.fqdn}: {now.label[0].lower()}{now.label[1:]}.",
        _url("settings_store:list") + "?q=PKIDatabasePassword",
        "Open the setting",
        advice="Optional, best practice",
    )


def _intervals() -> Step:
    return Step(
        "2",
        "Configure the rotation of subordinate keys to match your policy",
        "Once, and again when the policy changes. Without a policy the defaults are a good choice.",
        "idle",
        "Validity and renewal window of each kind of key.",
        _url("settings_store:list") + "?q=pki_",
        "Open the settings",
    )


def _create(standing: Standing) -> Step:
    newest = standing.newest
    old = [root for root in standing.roots if root.is_active and not root.is_legacy and root != newest]
    made = f" since {durations.stamp(newest.activated_at, 'date')}" if newest and newest.activated_at else ""
    return Step(
        "3",
        "Generate the new root key",
        "Create New Key. The subordinate keys of this server follow by themselves.",
        "done" if old else "open",
        f"{newest.short_name} is the newest{made}." if newest else "There is no root key yet.",
        _url("keys:current-server"),
        "Open Current Server",
    )


def _wait(standing: Standing, now: datetime) -> Step:
    finished, known = propagation.followed(propagation.components(standing.server))
    newest = standing.newest
    ready = bool(newest and newest.activated_at and now - newest.activated_at >= revocation.ADVISED_WAIT)
    rotating = len([root for root in standing.roots if root.is_active and not root.is_legacy]) > 1
    return Step(
        "",
        "Wait one week",
        "Components that have moved to the new key by then need no extra processing and traffic. If the security of "
        "the old key is in doubt, do not wait: revoke it immediately after generating the new one.",
        ("done" if ready else "open") if rotating else "idle",
        f"{finished:,} of {known:,} known components follow the newest key.",
        _url("keys:propagation"),
        "Open the list",
        advice="Best practice",
    )


def _revoke(standing: Standing) -> Step:
    old = [root for root in standing.roots if root.is_active and not standing.refusal(root)]
    planned = [root for root in old if root.pk in standing.pending]
    if not old:
        return Step(
            "4", "Revoke the old root key", "Revoke Key on its tile.", "idle", "No root key has been replaced.",
            _url("keys:current-server"), "Open Current Server",
        )  # fmt: skip
    names = ", ".join(root.short_name for root in old)
    due = [standing.pending[root.pk].due_at for root in planned]
    return Step(
        "4",
        "Revoke the old root key",
        "Revoke Key on its tile. On an active-active deployment do the same on the other server.",
        "open",
        f"Planned for {durations.stamp(min(due))}." if due else f"{names} can be revoked.",
        _url("keys:current-server"),
        "Open Current Server",
    )


def _back_up(standing: Standing) -> Step:
    backup = last()
    revoked = [root.revoked_at for root in standing.roots if root.revoked_at]
    stale = bool(revoked) and (backup is None or backup.created_at < max(revoked))
    old = any(root.is_active and not standing.refusal(root) for root in standing.roots)
    return Step(
        "5",
        "Back up immediately before and after revoking",
        "Recovery after a revocation must use a backup from after it: one from before cannot bring a revoked key back.",
        "open" if stale or old or backup is None else "done",
        _last_backup(backup),
        _url("keys:backups"),
        "Open Backups",
    )


def _last_backup(backup: LastBackup | None) -> str:
    if backup is None:
        return "There is no backup of this server yet."
    return f"The last one: {durations.stamp(backup.created_at)}, {backup.label}."


def _url(name: str) -> str:
    """Return a page's address; empty while the app that has it is not installed."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
