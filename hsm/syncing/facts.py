"""What an HSM says about one of its keys, and in which attributes two such statements differ. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType

from console.lib.digest import spki_fingerprint
from console.lib.unseen import spelt
from hsm.device.base import KeyAttributes
from hsm.device.objects import ObjectRecord, Operation

LABEL_LENGTH = 255  # of the columns that keep a label
LABEL, PRIVATE_HALF, PUBLIC_HALF, PUBLIC_VALUE = "CKA_LABEL", "private half", "public half", "public value"
# The names of what `hsm_attributes` keeps, as PKCS#11 v2.40 §4.4 to §4.10 calls them.
ATTRIBUTES: Mapping[str, str] = {
    "sensitive": "CKA_SENSITIVE",
    "extractable": "CKA_EXTRACTABLE",
    "local": "CKA_LOCAL",
    "never_extractable": "CKA_NEVER_EXTRACTABLE",
    "always_sensitive": "CKA_ALWAYS_SENSITIVE",
    "modifiable": "CKA_MODIFIABLE",
}


@dataclass(frozen=True)
class Facts:
    """One statement of an HSM about a key. `fingerprint` is that of the public value, empty where there is none."""

    label: str
    operations: frozenset[Operation]
    has_private: bool
    has_public: bool
    fingerprint: str
    attributes: Mapping[str, bool | None]


def of(record: ObjectRecord) -> Facts:
    """Return what a record states."""
    return Facts(
        label=shown(record.label),
        operations=record.operations,
        has_private=record.has_private,
        has_public=record.has_public,
        fingerprint=spki_fingerprint(record.spki_der) if record.spki_der else "",
        attributes=_attributes(record.attributes, record.modifiable),
    )


@cache
def _attributes(claims: KeyAttributes, modifiable: bool | None) -> Mapping[str, bool | None]:
    return MappingProxyType({**asdict(claims), "modifiable": modifiable})


def differences(before: Facts, after: Facts) -> tuple[str, ...]:
    """Return the names of the attributes that are not what they were, in the order of a page."""
    single = (
        (LABEL, before.label != after.label),
        *((one.attribute, (one in before.operations) != (one in after.operations)) for one in Operation),
        *((shown, before.attributes.get(name) != after.attributes.get(name)) for name, shown in ATTRIBUTES.items()),
        (PRIVATE_HALF, before.has_private != after.has_private),
        (PUBLIC_HALF, before.has_public != after.has_public),
        (PUBLIC_VALUE, before.fingerprint != after.fingerprint),
    )
    return tuple(name for name, differs in single if differs)


def shown(label: str) -> str:
    """Return a label as it is kept and shown: characters that nobody sees are spelt, and no longer than its column."""
    # PostgreSQL keeps no NUL in a text, and no page should carry the rest.
    return spelt(label)[:LABEL_LENGTH]
