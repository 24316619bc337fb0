"""The archive file: it opens with its passphrase, whole, or not at all."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.lib.errors import ConsoleError, InvalidError, UnavailableError
from console.lib.secret import Secret
from keys.backup import archive
from keys.backup.archive import Member
from keys.backup.header import MAGIC, Header, Label
from keys.backup.stream import SEGMENT_BYTES, Cost, Reader, Writer

PASSPHRASE = Secret("correct horse battery staple")
CHEAP = Cost(n=2)
HEADER = Header(
    backup_id="b", label=Label.MANUAL, server="ts1.example.com", created_at="2026-11-22T12:00:00.000000Z",
    roots=("ts1.example.com Root 0",), not_contained=("ts1.example.com Root 1 on token alpha",),
    migrations={"keys": "0002"}, cost=CHEAP,
)  # fmt: skip
MEMBERS = [Member("pki.db", bytes(range(256)) * 700), Member("empty", b""), Member("database/00000.jsonl", b"{}\n")]


def opened(path: Path, passphrase: Secret = PASSPHRASE) -> list[Member]:
    with path.open("rb") as file:
        return list(archive.read(file, Header.read(file), passphrase))


def encrypted(data: bytes, key: bytes = bytes(32)) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, key=key, prefix=bytes(7), header=b"h")
    writer.write(data)
    writer.finish()
    return out.getvalue()


def decrypted(data: bytes, header: bytes = b"h") -> bytes:
    return Reader(io.BytesIO(data), key=bytes(32), prefix=bytes(7), header=header).readall()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES]), st.integers(0, 9)
)
def test_stream_gives_back_what_went_in(size: int, more: int) -> None:
    data = bytes(i % 251 for i in range(size + more))
    assert decrypted(encrypted(data)) == data


def segments(data: bytes) -> list[bytes]:
    size = SEGMENT_BYTES + 16
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda parts: parts[:-1],
        lambda parts: parts[1:],
        lambda parts: [parts[1], parts[0], *parts[2:]],
        lambda parts: [*parts, parts[-1]],
        lambda parts: [parts[0], *parts],
        lambda parts: parts[:0],
        lambda parts: [*parts[:-1], parts[-1][:-1]],
    ],
)
def test_no_segment_can_be_lost_moved_or_repeated(damage: object) -> None:
    parts = segments(encrypted(bytes(3 * SEGMENT_BYTES)))
    with pytest.raises(InvalidError):
        decrypted(b"".join(damage(parts)))  # type: ignore[operator]


def test_the_header_is_authenticated() -> None:
    with pytest.raises(InvalidError):
        decrypted(encrypted(b"data"), header=b"another")


def test_round_trip(tmp_path: Path) -> None:
    """AMB-22: label, server, time and root names stand in the header; nothing of the content does."""
    path = tmp_path / "deep" / "one.keystead-backup"
    written = archive.write(path, HEADER, PASSPHRASE, MEMBERS)
    assert opened(path) == MEMBERS
    assert path.stat().st_mode & 0o777 == 0o600
    assert written == archive.measure(path)
    with path.open("rb") as file:
        assert Header.read(file) == HEADER
    assert bytes(range(256)) not in path.read_bytes()


def test_wrong_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "a"
    archive.write(path, HEADER, PASSPHRASE, MEMBERS)
    with pytest.raises(InvalidError, match="Wrong passphrase"):
        opened(path, Secret("another"))


def test_a_relabelled_archive_does_not_open(tmp_path: Path) -> None:
    """KEY-29: nobody makes a pre-revocation archive pass for a post-revocation one."""
    path = tmp_path / "a"
    archive.write(path, replace(HEADER, label=Label.PRE_REVOCATION), PASSPHRASE, MEMBERS)
    path.write_bytes(path.read_bytes().replace(b'"pre-revocation"', b'"manual"'))
    with pytest.raises(InvalidError):
        opened(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("a") / "a"
    archive.write(path, HEADER, PASSPHRASE, MEMBERS)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    with pytest.raises(ConsoleError):
        opened(path)


def test_a_cut_off_archive(tmp_path: Path) -> None:
    path = tmp_path / "a"
    archive.write(path, HEADER, PASSPHRASE, MEMBERS)
    raw = path.read_bytes()
    for length in (0, 5, len(MAGIC), len(MAGIC) + 20, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(InvalidError):
            opened(path)


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(MAGIC + b'{"backup_id": 1}\n')
    with pytest.raises(InvalidError, match="header"):
        opened(path)


def test_absurd_cost_is_refused() -> None:
    with pytest.raises(InvalidError):
        Cost(n=2**30).key(PASSPHRASE, b"salt")


def test_full_disk_leaves_nothing_behind() -> None:
    with pytest.raises(UnavailableError) as caught:
        archive.write(Path("/dev/full/a"), HEADER, PASSPHRASE, MEMBERS)
    assert caught.value.code == "backup-not-written"


def test_a_failure_while_writing_leaves_no_part(tmp_path: Path) -> None:
    def failing() -> object:
        yield MEMBERS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(UnavailableError, match="No space left"):
        archive.write(tmp_path / "a", HEADER, PASSPHRASE, failing())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
