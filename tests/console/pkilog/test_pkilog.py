"""AMB-04, LOG-05, HSI-42, HSI-43: one rotating text log per server, a line for each event, no secret, a viewer."""

import multiprocessing
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from console import pkilog
from console.lib.errors import NotFoundError
from console.lib.secret import Secret
from console.pkilog import reading, writer
from console.pkilog.line import Level, Line, parse
from console.pkilog.reading import Wanted

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def written(folder: Path, name: str = "pki.log") -> list[str]:
    return (folder / name).read_text(encoding="ascii").splitlines()


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.LOG_DIR = tmp_path / "Logs"
    return tmp_path / "Logs"


def test_a_line_has_its_parts_and_the_file_its_mode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.lib.clock.now", lambda: NOON)
    pkilog.write("login", component="hsm.check", subject="Root HSM", result="CKR_PIN_LOCKED", level=Level.ERROR)
    assert written(folder) == [
        '2026-11-21T12:00:00.000000Z ERROR hsm.check login subject="Root HSM" result="CKR_PIN_LOCKED"'
    ]
    assert stat.S_IMODE((folder / "pki.log").stat().st_mode) == 0o660


def test_handshakes_go_to_the_tls_log(folder: Path) -> None:
    pkilog.write("handshake", component="listener", subject="10.0.0.9 -> ts1", result="refused", log=pkilog.Log.TLS)
    assert "10.0.0.9 -> ts1" in written(folder, "pki-tls.log")[0]
    assert not (folder / "pki.log").exists()


def test_a_secret_never_enters(folder: Path) -> None:
    pkilog.write("login", component="hsm", subject=Secret("1234"), result=Secret(b"5678"))
    line = written(folder)[0]
    assert "1234" not in line
    assert "5678" not in line
    assert line.count("(protected)") == 2


def test_what_a_user_typed_cannot_look_like_a_line(folder: Path) -> None:
    pkilog.write("x y\nz", component="a b", subject='ok"\n2026-11-21T12:00:00.000000Z INFO fake fake', result="\u2028é")
    assert len(written(folder)) == 1
    found = parse(written(folder)[0])
    assert found is not None
    assert (found.event, found.component, found.result) == ("x-y-z", "a-b", "\u2028é")


@given(subject=st.text(max_size=80), result=st.text(max_size=80), level=st.sampled_from(list(Level)))
def test_every_line_can_be_read_back(subject: str, result: str, level: Level) -> None:
    line = Line(NOON, level, "keys.saga", "root-created", subject, result)
    text = line.text()
    assert "\n" not in text
    assert text.isascii()
    assert parse(text) == line


@pytest.mark.parametrize("text", ["", "x", "2026 INFO a b", '2026-13-01T00:00:00.0Z INFO a b subject="" result=""'])
def test_other_lines_are_shown_as_they_are(text: str) -> None:
    assert parse(text) is None


def test_rotates_and_keeps_nine_old_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROTATE_BYTES", 1)
    for number in range(14):
        pkilog.write(f"event-{number}", component="test")
    names = [file.name for file in reading.files()]
    assert names == ["pki.log", *(f"pki.log.{number}" for number in range(1, 10))]
    assert "event-13" in written(folder)[0]
    assert "event-4" in written(folder, "pki.log.9")[0]


def test_a_file_that_somebody_moved_away_is_made_anew(folder: Path) -> None:
    pkilog.write("before", component="test")
    (folder / "pki.log").rename(folder / "moved")
    pkilog.write("after", component="test")
    assert "before" in "".join(written(folder, "moved"))
    assert [parse(line).event for line in written(folder)] == ["after"]  # type: ignore[union-attr]


def test_a_disk_that_is_full_stops_nobody(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    pkilog.write("login", component="hsm")
    assert "cannot be written" in caplog.text


def many(number: int) -> None:
    for index in range(50):
        pkilog.write(f"w{number}-{index}", component="test", subject="x" * 200)


def test_several_processes_lose_no_line_while_it_rotates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROTATE_BYTES", 8_000)
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=many, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = [line for file in reading.files() for line in written(folder, file.name)]
    events = {found.event for line in lines if (found := parse(line))}
    assert len(lines) == 200
    assert events == {f"w{number}-{index}" for number in range(4) for index in range(50)}


@given(lengths=st.lists(st.integers(0, 30), max_size=25), block=st.integers(1, 40), size=st.integers(1, 7))
def test_reads_every_line_backwards_whatever_the_block(lengths: list[int], block: int, size: int) -> None:
    lines = [f"{number}{'x' * length}" for number, length in enumerate(lengths)]
    path = Path("/dev/shm") / f"pkilog-{multiprocessing.current_process().pid}.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    patch = pytest.MonkeyPatch()
    patch.setattr(reading, "BLOCK", block)
    try:
        found, before = [], 0
        while True:
            part = reading.part(path, Wanted(), before=before, size=size)
            found += [shown.raw for shown in part.lines]
            before = part.before
            if not before:
                break
        assert found == lines[::-1]
    finally:
        patch.undo()
        path.unlink()


def test_no_other_file_is_handed_out(folder: Path, auditor_client: Client) -> None:
    pkilog.write("login", component="hsm")
    (folder / "activity-heads.log").write_text("x")
    (folder / "pki.log.1").symlink_to("/etc/passwd")
    for name in ("activity-heads.log", "../keystead.db", "/etc/passwd", "pki.log.1", "pki.log.10", "pki.log\n", ""):
        with pytest.raises(NotFoundError):
            reading.path_of(name)
    assert [file.name for file in reading.files()] == ["pki.log"]
    assert auditor_client.get("/pki-log/download/activity-heads.log/").status_code == 404
    assert auditor_client.get("/pki-log/", {"file": "../../etc/passwd"}).status_code == 404


def test_the_viewer_filters_pages_and_downloads(folder: Path, auditor_client: Client) -> None:
    for number in range(120):
        level = Level.ERROR if number % 50 == 0 else Level.INFO
        pkilog.write(f"event-{number}", component="test", subject=f"Key {number} <b>", level=level)
    (folder / "pki.log").open("a").write("a line of another program\n")
    page = auditor_client.get("/pki-log/").content.decode()
    assert "event-119" in page
    assert "event-20<" not in page
    assert "a line of another program" in page
    assert "Key 119 &lt;b&gt;" in page
    older = auditor_client.get("/pki-log/", {"before": str(page_before(auditor_client))}).content.decode()
    assert "event-20<" in older
    errors = auditor_client.get("/pki-log/", {"level": "ERROR"}).content.decode()
    assert [number for number in range(120) if f"event-{number}<" in errors] == [0, 50, 100]
    one = auditor_client.get("/pki-log/", {"text": "KEY 77"}, headers={"HX-Request": "true"}).content.decode()
    assert one.lstrip().startswith('<div id="grid"')
    assert "event-77<" in one
    assert "event-78<" not in one
    file = auditor_client.get("/pki-log/download/pki.log/")
    assert b"".join(file) == (folder / "pki.log").read_bytes()


def page_before(client: Client) -> int:
    return int(client.get("/pki-log/").context["part"].before)


def test_an_empty_log_says_where_it_will_be(folder: Path, auditor_client: Client) -> None:
    page = auditor_client.get("/pki-log/").content.decode()
    assert "The PKI log is empty" in page
    assert str(folder) in page


def test_roles(folder: Path, user_client: Client) -> None:
    pkilog.write("login", component="hsm")
    assert user_client.get("/pki-log/").status_code == 403
    assert user_client.get("/pki-log/download/pki.log/").status_code == 403
