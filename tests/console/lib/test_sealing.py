"""Sealing: what the web seals opens in the worker, in its own place only."""

import stat
from pathlib import Path

import pytest

from console.lib.errors import UnavailableError
from console.lib.pair import Pair
from console.lib.sealing import SERVER, SealingPublic
from console.lib.sealingpair import SealingPair
from trust.issuing.places import LISTENER


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


def test_another_pair_does_not_open_and_each_owner_is_told_what_to_do(tmp_path: Path) -> None:
    sealed = SealingPair.generate().public.seal(b"1234", purpose="setting", row_id="a")
    places = tmp_path / "private", tmp_path / "public"
    SealingPair.generate().save(*places)
    for pair, whose, mend in (
        (SealingPair.load(places[0]), "sealing key of this server", "Enter the value again"),
        (SealingPair.load(places[0], LISTENER), "sealing key of the listener", "Run set-up again"),
        (Pair.generate(), "This key does not open", "Ask for it again"),  # a download: no server's key has a part in it
    ):
        with pytest.raises(UnavailableError, match=whose) as refused:
            pair.open(sealed, purpose="setting", row_id="a")
        assert refused.value.next_step.startswith(mend)


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
    for owner in (SERVER, LISTENER):
        with pytest.raises(UnavailableError, match=f"public sealing key of {owner.name} cannot be read"):
            SealingPublic.load(path, owner)
        with pytest.raises(UnavailableError, match=f"sealing key of {owner.name} .half. cannot be read") as refused:
            SealingPair.load(path, owner)
        assert refused.value.next_step == owner.lost


def test_the_private_half_does_not_print(pair: SealingPair) -> None:
    assert pair._raw.hex() not in repr(pair)
    assert repr(pair._raw) not in repr(pair)


def test_derived_keys_differ_by_purpose(pair: SealingPair) -> None:
    assert pair.derive("pki.db") == pair.derive("pki.db")
    assert pair.derive("pki.db") != pair.derive("other")
