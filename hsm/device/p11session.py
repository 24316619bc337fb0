"""A session of its own for security objects, and the handles found in it: for the module host only.

It is opened while the anchor of `pkcs11.Module` is logged in, and needs no PIN: the login is the token's.
"""

import ctypes

from pkcs11 import Attribute as A  # noqa: N817 - in tables

from hsm.device.errors import ErrorClass
from hsm.device.faults import ModuleFaultError
from hsm.device.objects import KeyFamily
from hsm.device.p11calls import Calls
from hsm.device.p11describe import KEY_CLASSES, Describer, Half, class_of, why_no_key
from hsm.device.pkcs11 import Module

NO_RANDOM = frozenset({"CKR_RANDOM_NO_RNG", "CKR_FUNCTION_NOT_SUPPORTED"})


class ObjectSession:
    """Opens when it is needed, and closes after whatever is not the caller's fault."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.calls = Calls(module.path)
        self.describer = Describer(self.calls)
        self._handle: int | None = None
        self._found: dict[bytes, list[Half]] = {}

    @property
    def handle(self) -> int:
        """The session, opened when there is none."""
        if self._handle is None:
            self._handle = self.calls.open_session(self.module.slot_id)
        return self._handle

    def drop(self) -> None:
        """Close the session; one that cannot be closed is gone already, or goes with the host."""
        handle, self._handle, self._found = self._handle, None, {}
        if handle is not None:
            self.calls.value_of("C_CloseSession", handle)

    def forget(self) -> None:
        """Forget the session, which goes with the module's initialisation."""
        self._handle, self._found = None, {}
        self.calls.finalize()

    def prove(self, slot_id: int) -> None:
        """Read random bytes in a session of its own. A token without a random number generator passes."""
        session, buffer = self.calls.open_session(slot_id), ctypes.create_string_buffer(16)
        try:
            self.calls.call("C_GenerateRandom", session, buffer, len(buffer))
        except ModuleFaultError as fault:
            if fault.code not in NO_RANDOM:
                raise
        finally:
            self.calls.value_of("C_CloseSession", session)

    def drop_after(self, fault: ModuleFaultError) -> None:
        """Close the session unless the caller is to blame."""
        if class_of(fault) is not ErrorClass.CALLER:
            self.drop()

    def halves_of(self, key_id: bytes) -> list[Half]:
        """Return every key object with this CKA_ID, as it is now."""
        found = self.calls.find(self.handle, {A.TOKEN: True, A.ID: key_id})
        halves = [self.describer.half(self.handle, handle) for handle in found]
        return [half for half in halves if half.object_class in KEY_CLASSES]

    def key(self, family: str, key_id: bytes) -> list[Half]:
        """Return the halves of a key, none when the token answers and has none. Raises KEY_AMBIGUOUS."""
        halves = [half for half in self.halves_of(key_id) if KEY_CLASSES[half.object_class] is KeyFamily(family)]
        if reason := why_no_key(halves):
            raise ModuleFaultError("KEY_AMBIGUOUS", reason)
        if not halves:
            self.module.token_now()
        return halves

    def for_use(self, family: str, key_id: bytes, *, public: bool) -> Half:
        """Return the half that is needed, looked up once in a session. Raises KEY_MISSING."""
        halves = self._found.get(key_id)
        if halves is None or not halves:
            halves = self._found[key_id] = self.key(family, key_id)
        wanted = [half for half in halves if half.is_public is public and KEY_CLASSES[half.object_class] == family]
        if not wanted:
            raise ModuleFaultError("KEY_MISSING")
        return wanted[0]

    def destroy(self, half: Half) -> None:
        """Destroy one object."""
        self._found.pop(half.key_id, None)
        self.calls.call("C_DestroyObject", self.handle, half.handle)

    def changed(self, key_id: bytes) -> None:
        """Forget what was found of a key."""
        self._found.pop(key_id, None)
