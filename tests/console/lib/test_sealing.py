"""Sealing: what the web seals opens in the worker, in its own place only."""

import stat
from pathlib import Path

import pytest

from console.lib.errors import UnavailableError
from console.lib.sealing import SealingPublic
from console.lib.sealingpair import SealingPair


@pytest.fixture(scope="module")
def pair() -> SealingPair:
    return SealingPair.generate()


def test_opens_for_its_purpose_and_row(pair: SealingPair) -> None:
    sealed = pair.public.seal(b"1234", purpose="setting", row_id="a")
    assert pair.open(sealed, purpose="setting", row_id="a").reveal_text() == "1234"


@pytest.mark.parametrize(("purpose", "row_id"), [("setting", "b"), ("binding", "a")])
def test_does_not_open_elsewhere(pair: SealingPair, purpose: str, row_id: str) -> None:
    sealed = pair.public.seal(b"1234", purpose="setting", row_id="a")
    with pytest.raises(UnavailableError):
        pair.open(sealed, purpose=purpose, row_id=row_id)


def test_another_pair_does_not_open(pair: SealingPair) -> None:
    sealed = SealingPair.generate().public.seal(b"1234", purpose="setting", row_id="a")
    with pytest.raises(UnavailableError):
        pair.open(sealed, purpose="setting", row_id="a")


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 1400])
def test_garbage_does_not_open(pair: SealingPair, damage: bytes) -> None:
    with pytest.raises(UnavailableError):
        pair.open(damage, purpose="setting", row_id="a")


def test_files_round_trip_and_modes(pair: SealingPair, tmp_path: Path) -> None:
    private, public = tmp_path / "sealing.key", tmp_path / "sealing.pub"
    pair.save(private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert SealingPublic.load(public) == pair.public
    sealed = SealingPublic.load(public).seal(b"x", purpose="p", row_id="r")
    assert SealingPair.load(private).open(sealed, purpose="p", row_id="r").reveal_bytes() == b"x"


def test_saving_never_overwrites(pair: SealingPair, tmp_path: Path) -> None:
    pair.save(tmp_path / "k", tmp_path / "p")
    with pytest.raises(FileExistsError):
        SealingPair.generate().save(tmp_path / "k", tmp_path / "p")
    assert SealingPair.load(tmp_path / "k").public == pair.public


@pytest.mark.parametrize("content", ["", "zz", "00ff"])
def test_damaged_files_are_said_to_be(tmp_path: Path, content: str) -> None:
    path = tmp_path / "half"
    path.write_text(content)
    with pytest.raises(UnavailableError):
        SealingPublic.load(path)
    with pytest.raises(UnavailableError):
        SealingPair.load(path)


def test_the_private_half_does_not_print(pair: SealingPair) -> None:
    assert pair._raw.hex() not in repr(pair)
    assert repr(pair._raw) not in repr(pair)


def test_derived_keys_differ_by_purpose(pair: SealingPair) -> None:
    assert pair.derive("pki.db") == pair.derive("pki.db")
    assert pair.derive("pki.db") != pair.derive("other")
