"""The security objects of a token, through its module host: the part of `TokenDevice` for `ObjectDevice`."""

import time

from hsm.device import limits, material, objectwire, spki, wire
from hsm.device.base import KeySpec, SecretLike, SignatureScheme, TokenInfo
from hsm.device.codes import check_any_key_id, error_for
from hsm.device.listing import make_listing
from hsm.device.objectrecords import object_record, unmatched_object
from hsm.device.objects import CipherScheme, KeyFamily, Listing, ObjectRecord, Operation, Unmatched, ordered
from hsm.device.tokencalls import TokenCalls, expect, token_info

# A key made on a login that is older than this may be one that nobody else sees: the token may have been initialised
# anew meanwhile.
FRESH_S = 10.0


class TokenObjects(TokenCalls):
    """The part of `TokenDevice` that `ObjectDevice` adds to `Device`."""

    def generate(self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation]) -> ObjectRecord:
        """Make a key that stays and cannot leave."""
        limits.check_new(key_id, spec, operations)
        self._refresh()
        request = objectwire.MakeObject(key_id, spec.value, label, _values(operations))
        return self._record(request, "Generating the key failed.")

    def import_key(
        self, key_id: bytes, spec: KeySpec, label: str, operations: frozenset[Operation], material: SecretLike
    ) -> ObjectRecord:
        """Put a key into the token."""
        limits.check_new(key_id, spec, operations)
        pair, secret = _parts(spec, material)
        self._refresh()
        request = objectwire.ImportObject(key_id, spec.value, label, _values(operations), pair, secret)
        return self._record(request, "Importing the key failed.")

    def read(self, family: KeyFamily, key_id: bytes) -> ObjectRecord | None:
        """Return the key, or None when the token answers and has no part of it."""
        check_any_key_id(key_id)
        request = objectwire.ReadObject(family.value, key_id)
        found = self._once_more(lambda: self._ask(request, objectwire.FoundObject, "Reading the key failed."))
        return object_record(found.part) if found.part is not None else None

    def read_all(self, known_digest: str = "") -> Listing:
        """Read every object; the whole of them is here before anything is given."""
        return self._once_more(lambda: self._listing(known_digest))

    def permit(self, family: KeyFamily, key_id: bytes, operations: frozenset[Operation]) -> ObjectRecord:
        """Set the permissions on the halves that carry them."""
        check_any_key_id(key_id)
        request = objectwire.Permit(family.value, key_id, _values(operations))
        return self._record(request, "Changing the permissions failed.")

    def remove_private(self, key_id: bytes) -> None:
        """Destroy the private half, and look that it is gone."""
        check_any_key_id(key_id)
        request = objectwire.RemovePrivate(key_id)
        self._once_more(lambda: self._ask(request, wire.Done, "Removing the private key failed."))

    def remove(self, family: KeyFamily, key_id: bytes, spki_der: bytes | None) -> None:
        """Destroy every half, and look that nothing is left."""
        found = self.read(family, key_id)
        if found is not None and spki_der and found.spki_der and found.spki_der != spki_der:
            raise error_for("KEY_DIFFERS")
        request = objectwire.RemoveObject(family.value, key_id)
        self._once_more(lambda: self._ask(request, wire.Done, "Destroying the key failed."))

    def sign_data(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: str) -> bytes:
        """Sign on the token."""
        known = limits.signing_scheme(family, key_id, data, scheme)
        signature = self._use(Operation.SIGN, family, key_id, known.value, data)
        return spki.x509_signature(signature, known) if isinstance(known, SignatureScheme) else signature

    def verify_data(self, family: KeyFamily, key_id: bytes, data: bytes, signature: bytes, scheme: str) -> bool:
        """Verify on the token."""
        known = limits.signing_scheme(family, key_id, data, scheme)
        return self._use(Operation.VERIFY, family, key_id, known.value, data, signature) == b"\1"

    def encrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Encrypt on the token."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_plaintext(data)
        return self._use(Operation.ENCRYPT, family, key_id, scheme.value, data)

    def decrypt(self, family: KeyFamily, key_id: bytes, data: bytes, scheme: CipherScheme) -> bytes:
        """Decrypt on the token."""
        limits.check_cipher(family, key_id, scheme)
        limits.check_ciphertext(data, scheme)
        return self._use(Operation.DECRYPT, family, key_id, scheme.value, data)

    def probe(self) -> TokenInfo:
        """Prove cheaply that the token serves."""
        proved = self._once_more(lambda: self._ask(objectwire.Probe(), wire.LoggedIn, "The token does not serve."))
        return token_info(proved.token, self._seat.key.module)

    def _refresh(self) -> None:
        """Have the next call log in anew unless the login is young."""
        if time.monotonic() - self._seat.login_time > FRESH_S:
            self._seat.reset(self._deadline_s)

    def _record(self, request: wire.Request, context: str) -> ObjectRecord:
        """Ask for something that gives a key; an answer without one leaves the outcome open."""
        found = self._once_more(lambda: self._ask(request, objectwire.FoundObject, context))
        if found.part is None:
            raise error_for("HOST_PROTOCOL", context=context, outcome_unknown=True)
        return object_record(found.part)

    def _use(
        self,
        operation: Operation,
        family: KeyFamily,
        key_id: bytes,
        scheme: str,
        data: bytes,
        signature: bytes = b"",
    ) -> bytes:
        request = objectwire.UseKey(operation.value, family.value, key_id, scheme, data, signature)
        context = f"The operation ({operation.value}) failed."
        return self._once_more(lambda: self._ask(request, objectwire.Used, context)).result

    def _listing(self, known_digest: str) -> Listing:
        context = "Listing the objects failed."
        objects: dict[tuple[str, bytes], ObjectRecord] = {}
        unmatched: list[Unmatched] = []
        mark, digest = self._seat.listed
        known = mark if digest and digest == known_digest else b""
        part = self._ask(objectwire.ReadObjects(known), objectwire.Objects, context)
        while True:
            objects |= {(key.family, key.key_id): object_record(key) for key in part.objects}
            unmatched += map(unmatched_object, part.unmatched)
            for address in part.withdrawn:
                objects.pop(address, None)
            if not part.more:
                break
            part = expect(self._seat.next_part(self._deadline_s, context=context), objectwire.Objects)
        if known and part.mark == known:
            return Listing(self.token(), (), (), known_digest, unchanged=True)
        listing = make_listing(self.token(), objects.values(), unmatched, known_digest)
        self._seat.listed = part.mark, listing.digest
        return listing


def _values(operations: frozenset[Operation]) -> list[str]:
    return [operation.value for operation in ordered(operations)]


def _parts(spec: KeySpec, given: SecretLike) -> tuple[objectwire.PairMaterial | None, bytes]:
    if spec.is_aes:
        return None, material.secret_of(spec, given)
    return material.pair_material(material.pair_of(spec, given)), b""
