"""The C functions of a PKCS#11 module for security objects, by ctypes: for the module host only.

python-pkcs11 has loaded and initialised the module; loading the same file again gives the same library. It reads two
to four times as much as is needed, builds templates of its own and tells values apart by text, so what works on many
objects, or must set attributes exactly, is called here (PKCS#11 v2.40, pkcs11t.h).
"""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Self

from hsm.device.ckr import NUMBERS
from hsm.device.faults import ModuleFaultError

ULONG = ctypes.c_ulong
ULONG_BYTES = ctypes.sizeof(ULONG)
SERIAL_SESSION, RW_SESSION = 4, 2
FIND_BATCH = 1000
WRITE_PROTECTED = "CKR_TOKEN_WRITE_PROTECTED"
NOT_INITIALIZED = "CKR_CRYPTOKI_NOT_INITIALIZED"
# Where the functions stand in CK_FUNCTION_LIST, after its version.
PLACES = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_CreateObject": 20,
    "C_DestroyObject": 22,
    "C_GetAttributeValue": 24,
    "C_SetAttributeValue": 25,
    "C_FindObjectsInit": 26,
    "C_FindObjects": 27,
    "C_FindObjectsFinal": 28,
    "C_EncryptInit": 29,
    "C_Encrypt": 30,
    "C_DecryptInit": 33,
    "C_Decrypt": 34,
    "C_SignInit": 42,
    "C_Sign": 43,
    "C_VerifyInit": 48,
    "C_Verify": 49,
    "C_GenerateKey": 58,
    "C_GenerateKeyPair": 59,
    "C_GenerateRandom": 64,
}
FUNCTION_COUNT = 68

Value = bool | int | bytes | str
Template = Mapping[int, Value]


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = [("type", ULONG), ("value", ctypes.c_void_p), ("length", ULONG)]


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = [("mechanism", ULONG), ("parameter", ctypes.c_void_p), ("length", ULONG)]


class _FunctionList(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * FUNCTION_COUNT)]


class Calls:
    """The functions of one loaded module. A return value other than CKR_OK is a ModuleFaultError."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        found = ctypes.POINTER(_FunctionList)()
        self._check(library.C_GetFunctionList(ctypes.byref(found)))
        function = ctypes.CFUNCTYPE(ULONG)
        self._initialized_here = False
        self._functions = {name: function(found.contents.functions[place]) for name, place in PLACES.items()}

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function; integers are passed as CK_ULONG."""
        self._check(self.value_of(name, *arguments))

    def value_of(self, name: str, *arguments: Any) -> int:
        """Call a function and return its return value."""
        words = (ULONG(argument) if isinstance(argument, int) else argument for argument in arguments)
        return int(self._functions[name](*words))

    def attribute_reader(self) -> Callable[[int, int, int, int], int]:
        """Return C_GetAttributeValue for (session, object, address of the template, its length), the quick way."""
        reader = ctypes.CFUNCTYPE(ULONG, ULONG, ULONG, ctypes.c_void_p, ULONG)
        address = ctypes.cast(self._functions["C_GetAttributeValue"], ctypes.c_void_p).value or 0
        return reader(address)

    def open_session(self, slot_id: int) -> int:
        """Open a session, read-only where the token is write protected; the login is the token's, not the session's."""
        try:
            return self._open(slot_id, SERIAL_SESSION | RW_SESSION)
        except ModuleFaultError as fault:
            if fault.code == NOT_INITIALIZED and not self._initialized_here:
                # p11-kit's proxy gives each caller a list of functions that wants to be initialised for itself.
                self.call("C_Initialize", None)
                self._initialized_here = True
                return self.open_session(slot_id)
            if fault.code != WRITE_PROTECTED:
                raise
        return self._open(slot_id, SERIAL_SESSION)

    def finalize(self) -> None:
        """Give the module up where it was initialised here; otherwise that is for python-pkcs11 to do."""
        if self._initialized_here:
            self._initialized_here = False
            self.value_of("C_Finalize", None)

    def _open(self, slot_id: int, flags: int) -> int:
        session = ULONG()
        self.call("C_OpenSession", slot_id, flags, None, None, ctypes.byref(session))
        return session.value

    def find(self, session: int, template: Template) -> list[int]:
        """Return the handles of all objects that fit."""
        with Packed(template) as packed:
            self.call("C_FindObjectsInit", session, packed.array, packed.count)
        handles: list[int] = []
        batch, count = (ULONG * FIND_BATCH)(), ULONG()
        try:
            while True:
                self.call("C_FindObjects", session, batch, FIND_BATCH, ctypes.byref(count))
                handles += batch[: count.value]
                if not count.value:
                    return handles
        finally:
            self.value_of("C_FindObjectsFinal", session)

    def create(self, session: int, template: Template) -> int:
        """Make an object and return its handle."""
        handle = ULONG()
        with Packed(template) as packed:
            self.call("C_CreateObject", session, packed.array, packed.count, ctypes.byref(handle))
        return handle.value

    def set(self, session: int, handle: int, template: Template) -> None:
        """Set attributes in one call."""
        with Packed(template) as packed:
            self.call("C_SetAttributeValue", session, handle, packed.array, packed.count)

    def generate_key(self, session: int, mechanism: int, template: Template) -> int:
        """Generate a secret key and return its handle."""
        handle, how = ULONG(), Mechanism(mechanism, None, 0)
        with Packed(template) as packed:
            self.call("C_GenerateKey", session, ctypes.byref(how), packed.array, packed.count, ctypes.byref(handle))
        return handle.value

    def generate_pair(self, session: int, mechanism: int, public: Template, private: Template) -> tuple[int, int]:
        """Generate a key pair and return the handles of the public and the private half."""
        handles, how = (ULONG(), ULONG()), Mechanism(mechanism, None, 0)
        with Packed(public) as ours, Packed(private) as theirs:
            self.call(
                "C_GenerateKeyPair",
                session,
                ctypes.byref(how),
                ours.array,
                ours.count,
                theirs.array,
                theirs.count,
                ctypes.byref(handles[0]),
                ctypes.byref(handles[1]),
            )
        return handles[0].value, handles[1].value

    def transform(self, name: str, session: int, data: bytes, room: int) -> bytes:
        """Call C_Sign, C_Encrypt or C_Decrypt once, with `room` bytes for the result."""
        result, length = ctypes.create_string_buffer(room), ULONG(room)
        try:
            self.call(name, session, data, len(data), result, ctypes.byref(length))
            return result.raw[: length.value]
        finally:
            ctypes.memset(result, 0, room)

    @staticmethod
    def _check(number: int) -> None:
        if number:
            raise ModuleFaultError(code_of_number(number))


class Packed:
    """A template as C sees it; what it holds is cleared at the end of the block, for it may be a key."""

    def __init__(self, template: Template) -> None:
        self.count = len(template)
        self._buffers = [_buffer(value) for value in template.values()]
        rows = [
            Attribute(kind, ctypes.cast(buffer, ctypes.c_void_p), len(buffer))
            for kind, buffer in zip(template, self._buffers, strict=True)
        ]
        self.array = (Attribute * self.count)(*rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for buffer in self._buffers:
            ctypes.memset(buffer, 0, len(buffer))


def code_of_number(number: int) -> str:
    """Return the name of a return value, `CKR_0x…` for one without a name."""
    return NUMBERS.get(number, f"CKR_0x{number:08X}")


def _buffer(value: Value) -> "ctypes.Array[ctypes.c_char]":
    if isinstance(value, bool):
        data = bytes([value])
    elif isinstance(value, int):
        data = bytes(ULONG(value))
    else:
        data = value.encode() if isinstance(value, str) else value
    return (ctypes.c_char * len(data)).from_buffer_copy(data)
