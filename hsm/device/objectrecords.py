"""From what the module host says about objects to what the port says."""

from contextlib import suppress
from functools import cache, lru_cache

from hsm.device import spki
from hsm.device.base import KeyAttributes, KeySpec
from hsm.device.errors import DeviceError
from hsm.device.objects import KeyFamily, ObjectRecord, Operation, Unmatched
from hsm.device.objectwire import ObjectPart, UnmatchedPart

AES_SPECS = {spec.bits: spec for spec in KeySpec if spec.is_aes}
RSA_SPECS = {bits: spec for spec, bits in spki.RSA_BITS.items()}
EC_SPECS = {
    ec_params: spec
    for ec_params, curve in spki.CURVES.items()
    for spec, known in spki.SPEC_CURVES.items()
    if known.name == curve.name
}


def object_record(part: ObjectPart) -> ObjectRecord:
    """Return a key as the port describes it; a public value that is malformed counts as unreadable."""
    spki_der = None
    if part.public is not None:
        with suppress(DeviceError):
            spki_der = spki.encode(part.public)
    bits = spki.bits_of(part.public) if part.public is not None else part.key_bits or None
    return ObjectRecord(
        family=KeyFamily(part.family),
        key_id=part.key_id,
        label=part.label,
        key_type=part.key_type,
        bits=bits,
        spec=_spec(part, bits),
        spki_der=spki_der,
        has_private=part.has_private,
        has_public=part.has_public,
        operations=_operations(tuple(part.operations)),
        attributes=_attributes(
            part.sensitive, part.extractable, part.local, part.never_extractable, part.always_sensitive
        ),
        modifiable=part.modifiable,
    )


def unmatched_object(part: UnmatchedPart) -> Unmatched:
    """Return an object that is no usable key as the port describes it."""
    return Unmatched(part.object_class, part.key_id, part.label, part.reason)


@lru_cache(maxsize=128)  # as many as there are sets of operations
def _operations(names: tuple[str, ...]) -> frozenset[Operation]:
    return frozenset(map(Operation, names))


_attributes = cache(KeyAttributes)  # 243 combinations at most


def _spec(part: ObjectPart, bits: int | None) -> KeySpec | None:
    match part.key_type:
        case "AES":
            return AES_SPECS.get(bits or 0)
        case "RSA":
            return RSA_SPECS.get(bits or 0)
        case "EC" if part.public is not None:
            return EC_SPECS.get(part.public.ec_params)
    return None
