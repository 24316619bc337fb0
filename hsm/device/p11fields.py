"""Several attributes of an object in one C_GetAttributeValue, into buffers that are there already (PKCS#11 v2.40 §5.7).

The call goes through the whole template even when it fails for some attributes: CKR_ATTRIBUTE_SENSITIVE,
CKR_ATTRIBUTE_TYPE_INVALID and CKR_BUFFER_TOO_SMALL say that one of them was left out, not which one and why.
"""

import ctypes
import struct
from collections.abc import Mapping

from hsm.device.ckr import NUMBERS
from hsm.device.faults import ModuleFaultError
from hsm.device.p11calls import ULONG_BYTES, Attribute, Calls, code_of_number

LEFT_OUT = frozenset({"CKR_ATTRIBUTE_SENSITIVE", "CKR_ATTRIBUTE_TYPE_INVALID", "CKR_BUFFER_TOO_SMALL"})
LEFT_OUT_NUMBERS = frozenset(number for number, name in NUMBERS.items() if name in LEFT_OUT)
MAX_VALUE_BYTES = 1 << 16
UNTOUCHED = 0xFF  # no boolean, no class and no length has only such bytes


class Fields:
    """Reads the same attributes of one object after the other; `capacities` are the bytes that each usually needs."""

    def __init__(self, calls: Calls, capacities: Mapping[int, int]) -> None:
        self._calls = calls
        self._capacities = dict(capacities)
        self._arena = ctypes.create_string_buffer(sum(capacities.values()))
        self._places: list[tuple[int, int, int]] = []
        base, start = ctypes.addressof(self._arena), 0
        rows = []
        for kind, capacity in capacities.items():
            self._places.append((kind, start, capacity))
            rows.append(Attribute(kind, base + start, capacity))
            start += capacity
        self._template = (Attribute * len(rows))(*rows)
        self._pristine = bytes(self._template)
        self._layout = struct.Struct("@" + "LPL" * len(rows))

    def read(self, session: int, handle: int) -> dict[int, bytes]:
        """Return what the module gives; attributes that the object does not have or reveal are absent."""
        ctypes.memset(self._arena, UNTOUCHED, len(self._arena))
        ctypes.memmove(self._template, self._pristine, len(self._pristine))
        number = self._calls.value_of("C_GetAttributeValue", session, handle, self._template, len(self._places))
        if number and number not in LEFT_OUT_NUMBERS:
            raise ModuleFaultError(code_of_number(number))
        raw, lengths = self._arena.raw, self._layout.unpack_from(self._template)[2::3]
        values: dict[int, bytes] = {}
        for (kind, start, capacity), length in zip(self._places, lengths, strict=True):
            value = raw[start : start + length] if length <= capacity else None
            if number and (value is None or (length == capacity and value == bytes([UNTOUCHED]) * capacity)):
                value = self._read_alone(session, handle, kind) if self._may_be_long(kind) or value else None
            if value is not None:
                values[kind] = value
        return values

    def _may_be_long(self, kind: int) -> bool:
        return self._capacities[kind] > ULONG_BYTES

    def _read_alone(self, session: int, handle: int, kind: int) -> bytes | None:
        """Ask for the length, then for the value."""
        row = Attribute(kind, None, 0)
        number = self._calls.value_of("C_GetAttributeValue", session, handle, ctypes.byref(row), 1)
        if number in LEFT_OUT_NUMBERS or row.length > MAX_VALUE_BYTES:
            return None
        if number:
            raise ModuleFaultError(code_of_number(number))
        buffer = ctypes.create_string_buffer(max(row.length, 1))
        row = Attribute(kind, ctypes.addressof(buffer), row.length)
        self._calls.call("C_GetAttributeValue", session, handle, ctypes.byref(row), 1)
        return buffer.raw[: row.length]
