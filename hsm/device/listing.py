"""What a listing amounts to, whoever read it: its order and its digest. Two devices that show the same token agree."""

import hashlib
from collections.abc import Iterable

import msgspec

from hsm.device.base import TokenInfo
from hsm.device.objects import Listing, ObjectRecord, Unmatched, ordered

_encoder = msgspec.msgpack.Encoder()


def make_listing(
    token: TokenInfo, objects: Iterable[ObjectRecord], unmatched: Iterable[Unmatched], known_digest: str = ""
) -> Listing:
    """Return the listing in its order; one whose digest the caller knows is `unchanged` and empty."""
    in_order = sorted(objects, key=lambda record: (record.family.value, record.key_id))
    odd = sorted(unmatched, key=lambda item: (item.object_class, item.key_id, item.label, item.reason))
    digest = digest_of(in_order, odd)
    if digest == known_digest:
        return Listing(token, (), (), digest, unchanged=True)
    return Listing(token, in_order, odd, digest)


def digest_of(objects: Iterable[ObjectRecord], unmatched: Iterable[Unmatched]) -> str:
    """Return SHA-256, hex, over records and unmatched objects in the order given, which is that of a Listing."""
    digest = hashlib.sha256()
    for record in objects:
        digest.update(_canonical(record))
    for item in unmatched:
        digest.update(_encoder.encode((item.object_class, item.key_id, item.label, item.reason)))
    return digest.hexdigest()


def record_digest(record: ObjectRecord) -> str:
    """Return SHA-256, hex, over one record: it changes when anything that the device says about the key does."""
    return hashlib.sha256(_canonical(record)).hexdigest()


def _canonical(record: ObjectRecord) -> bytes:
    """MessagePack of the fields in their order: one encoding for one record. Enums stand as their values."""
    claims = record.attributes
    return _encoder.encode(
        (
            record.family,
            record.key_id,
            record.label,
            record.key_type,
            record.bits,
            record.spec,
            record.spki_der,
            record.has_private,
            record.has_public,
            ordered(record.operations),
            claims.sensitive,
            claims.extractable,
            claims.local,
            claims.never_extractable,
            claims.always_sensitive,
            record.modifiable,
        )
    )
