"""What a token says about its objects: attributes into halves, halves into keys, and the rest with its reason.

For the module host only. A key is paired by its family and CKA_ID; whatever cannot be addressed in that way, or is no
key, is reported and never used.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec
from pkcs11 import Attribute as A  # noqa: N817 - in tables
from pkcs11 import KeyType, ObjectClass

from hsm.device.base import MAX_ANY_KEY_ID_BYTES
from hsm.device.codes import CODES
from hsm.device.errors import ErrorClass
from hsm.device.faults import ModuleFaultError
from hsm.device.objects import KeyFamily, Operation, ordered
from hsm.device.objectwire import ObjectPart, PublicPart, UnmatchedPart
from hsm.device.p11calls import ULONG_BYTES, Calls
from hsm.device.p11fields import Fields

MAX_LABEL_BYTES = 1024
MAX_NUMBER_BYTES = 2048  # of a modulus: 16,384 bits
HEARTBEAT = 500  # objects read between two signs of life
OPERATIONS = {int(A[operation.name]): operation for operation in Operation}
CLAIMS = {
    int(A.SENSITIVE): "sensitive",
    int(A.EXTRACTABLE): "extractable",
    int(A.LOCAL): "local",
    int(A.NEVER_EXTRACTABLE): "never_extractable",
    int(A.ALWAYS_SENSITIVE): "always_sensitive",
    int(A.MODIFIABLE): "modifiable",
}
FLAGS = (*OPERATIONS, *CLAIMS)
PUBLIC_VALUES: dict[int, int] = {A.EC_PARAMS: 128, A.EC_POINT: 256, A.MODULUS: 1024, A.PUBLIC_EXPONENT: 16}
FIELDS: dict[int, int] = {
    **dict.fromkeys((A.CLASS, A.KEY_TYPE, A.VALUE_LEN), ULONG_BYTES),
    A.ID: 256,
    A.LABEL: 256,
    **PUBLIC_VALUES,
}
# What is public about a key of these types
WITH_PUBLIC = {
    "EC": {"ec_params": A.EC_PARAMS, "ec_point": A.EC_POINT},
    "RSA": {"modulus": A.MODULUS, "exponent": A.PUBLIC_EXPONENT},
}
PUBLIC_KEY, CERTIFICATE = int(ObjectClass.PUBLIC_KEY), int(ObjectClass.CERTIFICATE)
KEY_CLASSES = {
    int(ObjectClass.PRIVATE_KEY): KeyFamily.KEY_PAIR,
    PUBLIC_KEY: KeyFamily.KEY_PAIR,
    int(ObjectClass.SECRET_KEY): KeyFamily.SECRET_KEY,
}
KEY_TYPES: dict[int, str] = {kind.value: kind.name.lstrip("_") for kind in KeyType}
CLASS_NAMES: dict[int, str] = {kind.value: f"CKO_{kind.name.lstrip('_')}" for kind in ObjectClass}


Claims = dict[str, bool | None]


class Half(msgspec.Struct, frozen=True, gc=False):
    """One object of the token as it describes itself; `key_id` and `label` as they are, `key_type` by its name."""

    handle: int
    object_class: int
    key_type: str
    key_bits: int
    key_id: bytes
    label: str
    operations: frozenset[Operation]
    claims: Claims
    public: PublicPart | None

    @property
    def is_public(self) -> bool:
        """Tell the public half from what is secret."""
        return self.object_class == PUBLIC_KEY


class Describer:
    """Reads halves in the session of its owner, each by one call where the module is willing."""

    def __init__(self, calls: Calls) -> None:
        self._fields = Fields(calls, FIELDS, FLAGS, frozenset(PUBLIC_VALUES))
        self._flags: dict[bytes, tuple[frozenset[Operation], Claims]] = {}

    def half(self, session: int, handle: int) -> Half:
        """Read one object. Raises ModuleFaultError when the module does not even say what it is."""
        values, flags = self._fields.read(session, handle)
        object_class = _number(values.get(A.CLASS))
        if object_class is None:
            raise ModuleFaultError("CKR_ATTRIBUTE_SENSITIVE", "The class of an object cannot be read.")
        operations, claims = self._flags.get(flags) or self._decoded(flags)
        key_type = _key_type(values.get(A.KEY_TYPE))
        if object_class == PUBLIC_KEY:
            self._complete(session, handle, key_type, values)
        return Half(
            handle=handle,
            object_class=object_class,
            key_type=key_type,
            key_bits=8 * (_number(values.get(A.VALUE_LEN)) or 0),
            key_id=values.get(A.ID, b""),
            label=values.get(A.LABEL, b"")[:MAX_LABEL_BYTES].decode(errors="backslashreplace"),
            operations=operations,
            claims=claims,
            public=_public(key_type, values) if object_class in KEY_CLASSES else None,
        )

    def _complete(self, session: int, handle: int, key_type: str, values: dict[int, bytes]) -> None:
        """Ask alone for what did not fit the buffers."""
        for kind in WITH_PUBLIC.get(key_type, {}).values():
            if kind not in values and (value := self._fields.alone(session, handle, kind)) is not None:
                values[kind] = value

    def _decoded(self, flags: bytes) -> tuple[frozenset[Operation], Claims]:
        """Return what flags mean; a token has few combinations of them."""
        said = {kind: {0: False, 1: True}.get(flag) for kind, flag in zip(FLAGS, flags, strict=True)}
        operations = frozenset(operation for kind, operation in OPERATIONS.items() if said[kind])
        decoded = self._flags[flags] = operations, {name: said[kind] for kind, name in CLAIMS.items()}
        return decoded


class Census:
    """Every object of a token, sorted into keys and what is none."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, bytes], ObjectPart] = {}  # what `pairs` gave
        self._keys: defaultdict[tuple[KeyFamily, bytes], list[Half]] = defaultdict(list)
        self._fresh: list[tuple[KeyFamily, bytes]] = []
        self._certificates: list[Half] = []
        self._others: Counter[int] = Counter()
        self._unmatched: list[UnmatchedPart] = []

    def take(self, describer: Describer, session: int, handles: Iterable[int]) -> Iterator[None]:
        """Read all of them, with a pause for a sign of life now and then. Raises for what spoils the whole listing."""
        for count, handle in enumerate(handles, start=1):
            try:
                self._sort_in(describer.half(session, handle))
            except ModuleFaultError as fault:
                if class_of(fault) not in (ErrorClass.CALLER, ErrorClass.OPERATOR):
                    raise
                self._unmatched.append(UnmatchedPart("", b"", "", f"It cannot be read ({fault.code})."))
            if count % HEARTBEAT == 0:
                yield

    def pairs(self) -> list[ObjectPart]:
        """Return the keys that got their second half since this was asked last; see `withdrawn`."""
        fresh, self._fresh = self._fresh, []
        whole = [(family, self._keys[family, key_id]) for family, key_id in fresh]
        parts = [key_part(family, halves) for family, halves in whole if not why_no_key(halves)]
        self.given |= {(part.family, part.key_id): part for part in parts}
        return parts

    def keys(self) -> list[ObjectPart]:
        """Return the keys, and note halves that do not make one."""
        parts = []
        for address, halves in self._keys.items():
            if reason := why_no_key(halves):
                self._unmatched += [_unmatched(half, reason) for half in halves]
            else:
                parts.append(self.given.get(address) or key_part(address[0], halves))
        return parts

    def withdrawn(self) -> list[tuple[str, bytes]]:
        """Return where `pairs` gave a key that is none: a third object has its CKA_ID."""
        return [address for address in self.given if why_no_key(self._keys[KeyFamily(address[0]), address[1]])]

    def unmatched(self) -> list[UnmatchedPart]:
        """Return what is no usable key; to be asked after `keys`."""
        key_ids = {key_id for _, key_id in self._keys}
        alone = [half for half in self._certificates if half.key_id not in key_ids]
        return [
            *self._unmatched,
            *(_unmatched(half, "It is a certificate without a key.") for half in alone),
            *(UnmatchedPart(_class_name(kind), b"", "", _count(count)) for kind, count in self._others.items()),
        ]

    def _sort_in(self, half: Half) -> None:
        family = KEY_CLASSES.get(half.object_class)
        if half.object_class == CERTIFICATE:
            self._certificates.append(half)
        elif family is None:
            self._others[half.object_class] += 1
        elif not half.key_id:
            self._unmatched.append(_unmatched(half, "Its CKA_ID is empty."))
        elif len(half.key_id) > MAX_ANY_KEY_ID_BYTES:
            self._unmatched.append(_unmatched(half, f"Its CKA_ID is longer than {MAX_ANY_KEY_ID_BYTES} bytes."))
        else:
            halves = self._keys[family, half.key_id]
            halves.append(half)
            if len(halves) == 2:
                self._fresh.append((family, half.key_id))


def key_part(family: KeyFamily, halves: list[Half]) -> ObjectPart:
    """Describe a key by whichever halves there are."""
    private = next((half for half in halves if not half.is_public), None)
    main = private or halves[0]
    labels = [half.label for half in (main, *halves) if half.label]
    shown = next((half for half in halves if half.is_public), main)
    allowed = frozenset[Operation]().union(*(half.operations for half in halves))
    claims = main.claims if private is not None else dict.fromkeys(main.claims)
    return ObjectPart(
        family=family.value,
        key_id=main.key_id,
        label=labels[0] if labels else "",
        key_type=main.key_type,
        key_bits=main.key_bits,
        public=shown.public,
        has_private=private is not None,
        has_public=any(half.is_public for half in halves),
        operations=list[str](ordered(allowed)),
        **{**claims, "modifiable": main.claims["modifiable"]},
    )


def why_no_key(halves: list[Half]) -> str:
    """Return why these objects of one family and CKA_ID are no key; an empty text when they are one."""
    if len(halves) == 1:
        return ""
    if len({half.object_class for half in halves}) < len(halves):
        return f"{len(halves)} objects share its CKA_ID."
    if len({half.key_type for half in halves}) > 1:
        return "Its halves are of different types."
    return ""


def _unmatched(half: Half, reason: str) -> UnmatchedPart:
    return UnmatchedPart(_class_name(half.object_class), half.key_id[:MAX_ANY_KEY_ID_BYTES], half.label, reason)


def _count(count: int) -> str:
    return "1 object that is no key." if count == 1 else f"{count} objects that are no keys."


def class_of(fault: ModuleFaultError) -> ErrorClass:
    """Return the class of the fault's code."""
    return CODES.get(fault.code, CODES["CKR_VENDOR_DEFINED"]).error_class


def _class_name(number: int) -> str:
    return CLASS_NAMES.get(number, f"0x{number:08X}")


def _key_type(value: bytes | None) -> str:
    number = _number(value)
    if number is None:
        return ""
    return KEY_TYPES.get(number, f"0x{number:08X}")


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value, sys.byteorder) if value else None


def _public(key_type: str, values: dict[int, bytes]) -> PublicPart | None:
    """Return what a half says of the public value; a private EC key names its curve only."""
    if key_type not in WITH_PUBLIC:
        return None
    public = {name: values.get(kind, b"") for name, kind in WITH_PUBLIC[key_type].items()}
    return PublicPart(**public) if max(map(len, public.values())) <= MAX_NUMBER_BYTES else None
