"""The revocation directive: signed by the newest root, and by nobody else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.digest import canonical_json, spki_fingerprint
from console.lib.errors import InvalidError
from keys import directive, signing
from keys.crl import Reason
from keys.directive import RevokedKey
from tests.keys.software import FQDN, NOW, root

OLD, NEW = root(0), root(1)
GONE = RevokedKey(f"{FQDN} Root 0", spki_fingerprint(OLD.spki), Reason.SUPERSEDED, NOW, (2**158 + 1, 17))
BODY = directive.prepare(server=FQDN, number=1, revoked=[GONE], signer_spki=NEW.spki, now=NOW)
SIGNATURE = directive.sign(BODY, NEW.key)


def test_round_trip() -> None:
    """KEY-27: names the root and every subordinate, by serial, without loss."""
    content = directive.verify(BODY, SIGNATURE, NEW.spki)
    assert canonical_json(content) == BODY
    (entry,) = content["revoked"]
    assert entry["fingerprint"] == spki_fingerprint(OLD.spki)
    assert [int(serial, 16) for serial in entry["subordinates"]] == [2**158 + 1, 17]


def test_only_the_named_signer() -> None:
    with pytest.raises(InvalidError):
        directive.sign(BODY, OLD.key)
    with pytest.raises(InvalidError):
        directive.verify(BODY, SIGNATURE, OLD.spki)
    forged = BODY.replace(spki_fingerprint(NEW.spki).encode(), spki_fingerprint(OLD.spki).encode())
    with pytest.raises(InvalidError):
        directive.verify(forged, directive.sign(forged, OLD.key), NEW.spki)


def test_another_signature_by_the_same_key_is_none() -> None:
    """The prefix: what signs the bare bytes (a certificate, a message) has not signed a directive."""
    with pytest.raises(InvalidError):
        directive.verify(BODY, signing.sign(BODY, NEW.key), NEW.spki)


def test_another_version_is_refused() -> None:
    other = canonical_json(json.loads(BODY) | {"version": 2})
    with pytest.raises(InvalidError, match="version"):
        directive.verify(other, directive.sign(other, NEW.key), NEW.spki)


@settings(max_examples=100)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, flip: int) -> None:
    changed = BODY[:at] + bytes([BODY[at] ^ flip]) + BODY[at + 1 :]
    with pytest.raises(InvalidError):
        directive.verify(changed, SIGNATURE, NEW.spki)
