"""What a sync did, as its job keeps it: counts of everything, and the first names of each kind. Bounded, no secrets."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from hsm.device.base import TokenInfo
from hsm.device.objects import Listing, ObjectRecord
from hsm.syncing.facts import shown
from hsm.syncing.plan import Plan

NAMES_KEPT = 100
# What stays true while the HSM does not change, so that a sync that found nothing new still tells it.
STANDING = ("skipped", "outside", "unmatched")
Missing = tuple[UUID, str, str]  # a virtual key's row, name, and CKA_ID in hex


def of(plan: Plan, listing: Listing, scan: str) -> dict[str, Any]:
    """Return the report. `counts` has every part, the other entries at most NAMES_KEPT lines each."""
    parts: dict[str, Iterable[dict[str, str]]] = {
        "added": [_line(one.record, one.tombstone.name if one.tombstone else "") for one in plan.added],
        "changed": [
            {"name": one.key.name, "id": str(one.key.pk), "what": ", ".join(one.attributes)} for one in plan.changed
        ],
        "moved": [
            {"name": one.key.name, "id": str(one.key.pk), "what": f"CKA_ID is now {one.record.key_id.hex()}"}
            for one in plan.moved
        ],
        "back": [{"name": one.key.name, "id": str(one.key.pk), "what": ""} for one in plan.back],
        "missing": [
            {"name": key.name, "id": str(key.pk), "what": f"CKA_ID {key.key_id.hex()}"} for key in plan.missing
        ],
        "still_missing": [{"name": key.name, "id": str(key.pk), "what": ""} for key in plan.still_missing],
        "skipped": [_line(one.record, one.tombstone.name) for one in plan.skipped],
        "outside": [_line(record) for record in plan.outside],
        "unmatched": [
            {
                "name": shown(item.label) or "(no label)",
                "what": f"{item.object_class}, {f'CKA_ID {item.key_id.hex()}' if item.key_id else 'no CKA_ID'}",
                "reason": shown(item.reason),
            }
            for item in plan.unmatched
        ],
        "left": [{"name": name, "what": ""} for name in plan.left],
    }
    return {
        "counts": {name: len(list(lines)) for name, lines in parts.items()},
        **{name: list(lines)[:NAMES_KEPT] for name, lines in parts.items()},
        **_about(listing.token, listing.digest, scan),
        "keys": len(listing.objects),
        "unchanged": False,
    }


def repeated(last: dict[str, Any], listing: Listing, scan: str, missing: Sequence[Missing]) -> dict[str, Any]:
    """Return the report of a sync that found the listing of the last report again; `missing` are known to be so."""
    standing = {name: (last["counts"][name], last[name]) for name in STANDING}
    standing["still_missing"] = (len(missing), [_missing(*one) for one in missing[:NAMES_KEPT]])
    return {
        "counts": {name: standing.get(name, (0, []))[0] for name in last["counts"]},
        **{name: standing.get(name, (0, []))[1] for name in last["counts"]},
        **_about(listing.token, listing.digest, scan),
        "keys": last["keys"],
        "unchanged": True,
    }


def message(report: dict[str, Any]) -> str:
    """Return the report in a sentence or two; the first one is that of GRP-36."""
    counts = report["counts"]
    added = counts["added"]
    first = f"{added:,} new key{'' if added == 1 else 's'} from the HSM {'is' if added == 1 else 'are'} added."
    said = (
        ("Changed in the HSM", counts["changed"]),
        ("With a new CKA_ID", counts["moved"]),
        ("Back in the HSM", counts["back"]),
        ("Missing in the HSM", counts["missing"]),
        ("Skipped, because deleted here", counts["skipped"]),
        ("Not usable", counts["unmatched"]),
        ("Left to the next sync", counts["left"]),
    )
    rest = [f"{what}: {number:,}." for what, number in said if number]
    if report["unchanged"]:
        rest.insert(0, "Nothing has changed in the HSM since the last sync.")
    return " ".join((first, *rest))


def _line(record: ObjectRecord, name: str = "") -> dict[str, str]:
    return {"name": name or shown(record.label) or "(no label)", "what": f"CKA_ID {record.key_id.hex()}"}


def _missing(pk: UUID, name: str, key_id_hex: str) -> dict[str, str]:
    return {"name": name, "id": str(pk), "what": f"CKA_ID {key_id_hex}"}


def _about(token: TokenInfo, digest: str, scan: str) -> dict[str, Any]:
    return {"token": shown(token.label), "serial": shown(token.serial), "digest": digest, "scan": scan}
