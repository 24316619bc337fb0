"""Several attributes of an object in one C_GetAttributeValue, into buffers that are there already (PKCS#11 v2.40 §5.7).

The call goes through the whole template even when it fails for some attributes: CKR_ATTRIBUTE_SENSITIVE,
CKR_ATTRIBUTE_TYPE_INVALID and CKR_BUFFER_TOO_SMALL say that one of them was left out, not which one and why.
"""

import ctypes
import struct
from collections.abc import Mapping, Sequence

from hsm.device.ckr import NUMBERS
from hsm.device.faults import ModuleFaultError
from hsm.device.p11calls import ULONG_BYTES, Attribute, Calls, code_of_number

LEFT_OUT = frozenset({"CKR_ATTRIBUTE_SENSITIVE", "CKR_ATTRIBUTE_TYPE_INVALID", "CKR_BUFFER_TOO_SMALL"})
LEFT_OUT_NUMBERS = frozenset(number for number, name in NUMBERS.items() if name in LEFT_OUT)
MAX_VALUE_BYTES = 1 << 16
UNTOUCHED = 0xFF  # no boolean, no class and no length has only such bytes


class Fields:
    """Reads the same attributes of one object after the other.

    `capacities` are the bytes that each usually needs, `flags` the attributes that are CK_BBOOL. What is in `optional`
    is not asked for once more when it does not fit: most objects do not have it.
    """

    def __init__(
        self, calls: Calls, capacities: Mapping[int, int], flags: Sequence[int], optional: frozenset[int]
    ) -> None:
        self._calls = calls
        places = [*capacities.items(), *((kind, 1) for kind in flags)]
        self._arena = ctypes.create_string_buffer(sum(capacity for _, capacity in places))
        base, start = ctypes.addressof(self._arena), 0
        self._places: list[tuple[int, int, int]] = []
        rows = []
        for kind, capacity in places:
            self._places.append((kind, start, capacity))
            rows.append(Attribute(kind, base + start, capacity))
            start += capacity
        self._template = (Attribute * len(rows))(*rows)
        self._pristine = bytes(self._template)
        self._get, self._address = calls.attribute_reader(), ctypes.addressof(self._template)
        self._layout = struct.Struct("@" + "LPL" * len(rows))
        self._long = [(*place, bytes([UNTOUCHED]) * place[2]) for place in self._places[: len(capacities)]]
        self._sought = {kind for kind, capacity in capacities.items() if capacity > ULONG_BYTES} - optional
        self._flags = self._places[len(capacities) :]
        self._flags_start, self._all_flags = len(self._arena) - len(flags), (1,) * len(flags)

    def read(self, session: int, handle: int) -> tuple[dict[int, bytes], bytes]:
        """Return what the module gives, and a byte for each flag: 0, 1, or UNTOUCHED.

        Attributes that the object does not have or reveal are absent.
        """
        ctypes.memset(self._arena, UNTOUCHED, len(self._arena))
        ctypes.memmove(self._template, self._pristine, len(self._pristine))
        number = self._get(session, handle, self._address, len(self._places))
        if number and number not in LEFT_OUT_NUMBERS:
            raise ModuleFaultError(code_of_number(number))
        raw, lengths = self._arena.raw, self._layout.unpack_from(self._template)[2::3]
        values: dict[int, bytes] = {}
        for (kind, start, capacity, untouched), length in zip(self._long, lengths, strict=False):
            fits = length <= capacity
            value = raw[start : start + length] if fits else None
            # It may be there all the same: never looked at by the module, or too long for the buffer.
            if number and (value == untouched if fits else kind in self._sought):
                value = self.alone(session, handle, kind)
            if value is not None:
                values[kind] = value
        flags = raw[self._flags_start :]
        if number:
            flags = self._mended(session, handle, flags, lengths[len(self._long) :])
        return values, flags

    def _mended(self, session: int, handle: int, flags: bytes, lengths: tuple[int, ...]) -> bytes:
        if lengths == self._all_flags and UNTOUCHED not in flags:
            return flags
        mended = bytearray(flags)
        for place, ((kind, _, _), length) in enumerate(zip(self._flags, lengths, strict=True)):
            if length != 1:
                mended[place] = UNTOUCHED
            elif mended[place] == UNTOUCHED:
                mended[place] = (self.alone(session, handle, kind) or bytes([UNTOUCHED]))[0]
        return bytes(mended)

    def alone(self, session: int, handle: int, kind: int) -> bytes | None:
        """Return one attribute, however long: ask for its length, then for the value."""
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
