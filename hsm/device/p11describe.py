"""What a token says about its objects: attributes into halves, halves into keys, and the rest with its reason.

For the module host only. A key is paired by its family and CKA_ID; whatever cannot be addressed in that way, or is no
key, is reported and never used.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pkcs11 import Attribute as A  # noqa: N817 - in tables
from pkcs11 import KeyType, ObjectClass

from hsm.device.base import MAX_ANY_KEY_ID_BYTES
from hsm.device.codes import CODES
from hsm.device.errors import ErrorClass
from hsm.device.faults import ModuleFaultError
from hsm.device.objects import KeyFamily, Operation
from hsm.device.objectwire import ObjectPart, PublicPart, UnmatchedPart
from hsm.device.p11calls import Calls
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
COMMON = {
    A.CLASS: 8,
    A.KEY_TYPE: 8,
    A.VALUE_LEN: 8,
    A.ID: 256,
    A.LABEL: 256,
    **dict.fromkeys((*OPERATIONS, *CLAIMS), 1),
}
EC_VALUES = {A.EC_PARAMS: 128, A.EC_POINT: 256}
RSA_VALUES = {A.MODULUS: 1024, A.PUBLIC_EXPONENT: 16}
PUBLIC_KEY, CERTIFICATE = int(ObjectClass.PUBLIC_KEY), int(ObjectClass.CERTIFICATE)
KEY_CLASSES = {
    int(ObjectClass.PRIVATE_KEY): KeyFamily.KEY_PAIR,
    PUBLIC_KEY: KeyFamily.KEY_PAIR,
    int(ObjectClass.SECRET_KEY): KeyFamily.SECRET_KEY,
}
KEY_TYPES: dict[int, str] = {kind.value: kind.name.lstrip("_") for kind in KeyType}
CLASS_NAMES: dict[int, str] = {kind.value: f"CKO_{kind.name.lstrip('_')}" for kind in ObjectClass}


@dataclass(frozen=True, slots=True)
class Half:
    """One object of the token as it describes itself; `key_id` and `label` as they are, `key_type` by its name."""

    handle: int
    object_class: int
    key_type: str
    key_bits: int
    key_id: bytes
    label: str
    operations: frozenset[Operation]
    claims: dict[str, bool | None]
    public: PublicPart | None

    @property
    def is_public(self) -> bool:
        """Tell the public half from what is secret."""
        return self.object_class == PUBLIC_KEY


class Describer:
    """Reads halves in the session of its owner."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._common = Fields(calls, COMMON)
        self._values = {KeyType.EC.name: Fields(calls, EC_VALUES), KeyType.RSA.name: Fields(calls, RSA_VALUES)}

    def half(self, session: int, handle: int) -> Half:
        """Read one object. Raises ModuleFaultError when the module does not even say what it is."""
        values = self._common.read(session, handle)
        object_class = _number(values.get(A.CLASS))
        if object_class is None:
            raise ModuleFaultError("CKR_ATTRIBUTE_SENSITIVE", "The class of an object cannot be read.")
        key_type = _key_type(values.get(A.KEY_TYPE))
        return Half(
            handle=handle,
            object_class=object_class,
            key_type=key_type,
            key_bits=8 * (_number(values.get(A.VALUE_LEN)) or 0),
            key_id=values.get(A.ID, b""),
            label=values.get(A.LABEL, b"")[:MAX_LABEL_BYTES].decode(errors="backslashreplace"),
            operations=frozenset(name for kind, name in OPERATIONS.items() if _flag(values.get(kind))),
            claims={name: _flag(values.get(kind)) for kind, name in CLAIMS.items()},
            public=self._public(session, handle, key_type) if object_class == PUBLIC_KEY else None,
        )

    def key(self, session: int, family: KeyFamily, halves: list[Half]) -> ObjectPart:
        """Describe a key; what is public about a pair without a public half is asked of the private one."""
        public = next((half.public for half in halves if half.is_public), None)
        if public is None and family is KeyFamily.KEY_PAIR:
            public = self._public(session, halves[0].handle, halves[0].key_type)
        return _key_part(family, halves, public)

    def _public(self, session: int, handle: int, key_type: str) -> PublicPart | None:
        fields = self._values.get(key_type)
        if fields is None:
            return None
        values = fields.read(session, handle)
        if any(len(value) > MAX_NUMBER_BYTES for value in values.values()):
            return None
        return PublicPart(
            ec_params=values.get(A.EC_PARAMS, b""),
            ec_point=values.get(A.EC_POINT, b""),
            modulus=values.get(A.MODULUS, b""),
            exponent=values.get(A.PUBLIC_EXPONENT, b""),
        )


class Census:
    """Every object of a token, sorted into keys and what is none."""

    def __init__(self) -> None:
        self._keys: defaultdict[tuple[KeyFamily, bytes], list[Half]] = defaultdict(list)
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

    def keys(self, describer: Describer, session: int) -> list[ObjectPart]:
        """Return the keys, and note halves that do not make one."""
        parts = []
        for (family, _), halves in self._keys.items():
            if reason := why_no_key(halves):
                self._unmatched += [_unmatched(half, reason) for half in halves]
            else:
                parts.append(describer.key(session, family, halves))
        return parts

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
            self._keys[family, half.key_id].append(half)


def _key_part(family: KeyFamily, halves: list[Half], public: PublicPart | None) -> ObjectPart:
    private = next((half for half in halves if not half.is_public), None)
    main = private or halves[0]
    labels = [half.label for half in (main, *halves) if half.label]
    allowed = frozenset[Operation]().union(*(half.operations for half in halves))
    claims = main.claims if private is not None else dict.fromkeys(main.claims)
    return ObjectPart(
        family=family.value,
        key_id=main.key_id,
        label=labels[0] if labels else "",
        key_type=main.key_type,
        key_bits=main.key_bits,
        public=public,
        has_private=private is not None,
        has_public=any(half.is_public for half in halves),
        operations=[operation.value for operation in Operation if operation in allowed],
        **{**claims, "modifiable": main.claims["modifiable"]},
    )


def why_no_key(halves: list[Half]) -> str:
    """Return why these objects of one family and CKA_ID are no key; an empty text when they are one."""
    of_a_class = Counter(half.object_class for half in halves)
    if any(count > 1 for count in of_a_class.values()):
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


def _flag(value: bytes | None) -> bool | None:
    return {b"\0": False, b"\1": True}.get(value) if value is not None else None
