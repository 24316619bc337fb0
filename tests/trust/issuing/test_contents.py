"""What the worker writes for the listener is what the listener reads, and nothing else is taken for it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import UnavailableError
from keys.purposes import Purpose
from tests.keys import software
from trust.issuing import contents, envelope
from trust.issuing.contents import Issuing, IssuingKey
from trust.issuing.opening import Opened

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOT = software.root()


def key(purpose: Purpose, chain: tuple[bytes, ...] = ()) -> IssuingKey:
    made = software.below(ROOT, purpose)
    return IssuingKey(uuid4(), made.key, x509.load_der_x509_certificate(made.der), chain)


def some(*, legacy: bool = False) -> Issuing:
    ca = key(Purpose.CLIENT_TLS_CA)
    return Issuing(
        made_at=NOW,
        client_ca=ca,
        server_tls=key(Purpose.SERVER_TLS, (ROOT.der,)),
        legacy_tls=key(Purpose.SERVER_TLS) if legacy else None,
        roots_der=(ROOT.der,),
        crosses_der=(),
        intermediates_der=(ca.certificate_der,),
    )


@pytest.mark.parametrize("legacy", [False, True])
def test_there_and_back(*, legacy: bool) -> None:
    before = some(legacy=legacy)
    after = contents.decode(contents.encode(before))
    assert contents.encode(after) == contents.encode(before)
    assert (after.legacy_tls is not None) is legacy
    assert after.server_tls.pem == before.server_tls.pem
    assert after.server_tls.pem.count(b"BEGIN CERTIFICATE") == 2
    assert "BEGIN" not in repr(after)


WHOLE = json.loads(contents.encode(some()))


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.one_of(st.none(), st.text(), st.integers(), st.dictionaries(st.text(), st.text())),
)
def test_anything_else_is_refused(part: str, value: object) -> None:
    broken = {**WHOLE, part: value}
    with pytest.raises(ValueError):
        contents.decode(json.dumps(broken).encode())


@given(st.binary(max_size=300))
def test_no_bytes_are_taken_for_a_file(junk: bytes) -> None:
    with pytest.raises(ValueError):
        contents.decode(junk)
    if not junk.startswith(envelope.MAGIC):
        with pytest.raises(ValueError):
            envelope.sealed_part(junk)


def test_the_file_is_opened_once_for_each_version_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "issuing.sealed"
    opened: list[bytes] = []

    def open_sealed(sealed: bytes) -> bytes:
        opened.append(sealed)
        return sealed

    file = Opened(path, open_sealed)
    with pytest.raises(UnavailableError):
        file.current()
    first, second = some(), some()
    envelope.write(path, "1" * 64, contents.encode(first))
    assert envelope.digest_of(path) == "1" * 64
    assert file.current().client_ca.id == first.client_ca.id
    assert file.current() is file.current()
    assert len(opened) == 1
    path.write_bytes(envelope.MAGIC + b"2" * 64 + b"\nhalf")
    assert file.current().client_ca.id == first.client_ca.id
    assert file.current().client_ca.id == first.client_ca.id
    assert len(opened) == 2  # a bad one is not read at each request
    path.unlink()
    assert file.current().client_ca.id == first.client_ca.id
    assert envelope.digest_of(path) == ""
    envelope.write(path, "3" * 64, contents.encode(second))
    assert file.current().client_ca.id == second.client_ca.id
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
