"""Logs do not grow without end, and their writers notice nothing."""

from pathlib import Path

from console.supervisor import logs


def test_a_log_is_moved_on_and_its_writer_goes_on(tmp_path: Path) -> None:
    with (tmp_path / "web.log").open("ab", buffering=0) as writer:
        for number in range(8):
            writer.write(b"%d" % number * 20)
            logs.rotate(tmp_path, largest_bytes=10)
        writer.write(b"last")
    assert (tmp_path / "web.log").read_bytes() == b"last"
    kept = {path.name: path.read_bytes()[:1] for path in tmp_path.iterdir() if path.name != "web.log"}
    assert kept == {f"web.log.{n}": b"%d" % (8 - n) for n in range(1, logs.KEPT + 1)}


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("short")
    logs.rotate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]


def test_a_pointer_shows_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("\n".join(f"line {n}" for n in range(100)))
    text = logs.pointer(tmp_path / "web.log", lines=2)
    assert text.endswith("line 98\nline 99")
    assert "line 97" not in text
    assert str(tmp_path / "missing.log") in logs.pointer(tmp_path / "missing.log")
