"""A Device on a token, through its module host."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hsm.device import spki, wire
from hsm.device.base import (
    MIN_KEY_ID_BYTES,
    Capabilities,
    KeyAttributes,
    KeyRecord,
    KeySpec,
    SignatureScheme,
    TestLine,
)
from hsm.device.capabilities import capabilities_of
from hsm.device.codes import check_key_id, error_for
from hsm.device.errors import DeviceError
from hsm.device.tokencalls import expect
from hsm.device.tokenobjects import TokenObjects


class TokenDevice(TokenObjects):
    """Implements `Device`, `SelfTesting` and `ObjectDevice`; see `TokenCalls` for how long it lives."""

    def generate_key_pair(self, key_id: bytes, spec: KeySpec, label: str) -> bytes:
        """Make a key pair, then prove on a fresh login that it is there and signs."""
        check_key_id(key_id)
        context = "Making a key pair failed."
        request = wire.Generate(key_id=key_id, spec=spec.value, label=label)
        made = self._once_more(lambda: self._ask(request, wire.Found, context))
        spki_der = self._public(made.key)
        try:
            self._prove(key_id, spec, spki_der)
        except DeviceError as error:
            error.outcome_unknown = True
            raise
        return spki_der

    def find(self, key_id: bytes) -> KeyRecord | None:
        """Return the key, or None when the token answers and has neither half."""
        check_key_id(key_id)
        found = self._once_more(lambda: self._ask(wire.Find(key_id), wire.Found, "Looking for a key failed."))
        return key_record(found.key) if found.key is not None else None

    def sign(self, key_id: bytes, digest: bytes, scheme: SignatureScheme) -> bytes:
        """Sign a digest on the token."""
        check_key_id(key_id)
        spki.check_fits(scheme, digest)
        request = wire.Sign(key_id, digest, scheme.value)
        signed = self._once_more(lambda: self._ask(request, wire.Signed, "Signing failed."))
        return spki.x509_signature(signed.signature, scheme)

    def destroy(self, key_id: bytes) -> None:
        """Destroy both halves, and look that nothing is left."""
        check_key_id(key_id)
        self._once_more(lambda: self._ask(wire.Destroy(key_id), wire.Done, "Destroying a key failed."))

    def list_keys(self) -> Iterator[KeyRecord]:
        """Return every key pair; the whole list is here before the first one is given."""
        return iter(self._once_more(self._whole_list))

    def capabilities(self) -> Capabilities:
        """Return what the token advertises."""
        listed = self._once_more(
            lambda: self._ask(wire.ListMechanisms(), wire.Mechanisms, "Reading the mechanisms failed.")
        )
        return capabilities_of(listed.mechanisms)

    def self_test(self, specs: Sequence[KeySpec] = (KeySpec.EC_P384,)) -> tuple[TestLine, ...]:
        """Make, use and destroy a session key of each kind; verify each signature outside the token."""
        return tuple(line for spec in specs for line in self._test(spec))

    def _test(self, spec: KeySpec) -> Iterator[TestLine]:
        scheme, key_id = spki.natural_scheme(spec), secrets.token_bytes(MIN_KEY_ID_BYTES)
        digest = spki.sample_digest(scheme, key_id)
        name = f"Make a session key ({spec.value})"
        try:
            made = self._ask(wire.Generate(key_id, spec.value, "Keystead self-test", keep=False), wire.Found, "")
            key = spki.load(self._public(made.key))
            yield TestLine(name, ok=True)
            name = f"Sign with it ({scheme.value})"
            signature = self.sign(key_id, digest, scheme)
            yield TestLine(name, ok=True)
            name = "Verify the signature on this server"
            if not spki.verifies(key, signature, digest, scheme):
                raise error_for("SIGNATURE_WRONG")
            yield TestLine(name, ok=True)
            name = "Destroy the session key"
            self._ask(wire.Destroy(key_id), wire.Done, "")
            yield TestLine(name, ok=True)
        except DeviceError as error:
            with suppress(DeviceError):  # what is left goes with the session at the latest
                self._ask(wire.Destroy(key_id), wire.Done, "")
            yield TestLine(name, ok=False, detail=error.message, code=error.code, next_step=error.next_step)

    def _whole_list(self) -> list[KeyRecord]:
        context = "Listing the keys failed."
        part = self._ask(wire.ListKeys(), wire.Keys, context)
        keys = list(part.keys)
        while part.more:
            reply = self._seat.next_part(self._deadline_s, context=context)
            part = expect(reply, wire.Keys)
            keys += part.keys
        return [key_record(key) for key in keys]

    def _prove(self, key_id: bytes, spec: KeySpec, spki_der: bytes) -> None:
        """Log in anew, find the key, sign and verify: a stale login can make keys that nobody else can use."""
        self._seat.reset(self._deadline_s)
        scheme = spki.natural_scheme(spec)
        digest = spki.sample_digest(scheme, secrets.token_bytes(32))
        signature = self.sign(key_id, digest, scheme)
        if not spki.verifies(spki.load(spki_der), signature, digest, scheme):
            raise error_for("SIGNATURE_WRONG")

    def _public(self, key: wire.KeyPart | None) -> bytes:
        if key is None or key.public is None:
            raise error_for("KEY_UNREADABLE", outcome_unknown=True)
        return spki.encode(key.public)


def key_record(part: wire.KeyPart) -> KeyRecord:
    """Return a key as the port describes it; a public half that is malformed counts as unreadable."""
    spki_der = None
    if part.public is not None:
        with suppress(DeviceError):
            spki_der = spki.encode(part.public)
    return KeyRecord(
        key_id=part.key_id,
        label=part.label,
        spki_der=spki_der,
        has_private=part.has_private,
        has_public=part.has_public,
        attributes=KeyAttributes(
            sensitive=part.sensitive,
            extractable=part.extractable,
            local=part.local,
            never_extractable=part.never_extractable,
            always_sensitive=part.always_sensitive,
        ),
    )
