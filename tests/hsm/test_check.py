"""Check HSM integration: each line green, or with the reason, the code and the next step (walkthrough 3)."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from console.activity.models import Entry, Outcome
from console.jobs.models import Job, State
from hsm import requests
from hsm.actions import Action
from hsm.device import opening
from hsm.models.tokens import PinState, PinTrial, SeenToken, TokenCapability
from tests.fixtures.softhsm import SoftHsm, Token
from tests.hsm.conftest import ALICE, Put, point_to

RunJobs = Callable[..., list[Job]]
pytestmark = [pytest.mark.usefixtures("server"), pytest.mark.one_database]


def run_check(run_jobs: RunJobs) -> Job:
    job = requests.check(actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.message
    return job


def lines(job: Job) -> dict[str, dict[str, Any]]:
    """Return every line by part and name."""
    return {f"{part['title']}: {line['name']}": line for part in job.result["parts"] for line in part["lines"]}


def lights(job: Job) -> set[str]:
    return {line["light"] for line in lines(job).values()}


def bad(job: Job) -> dict[str, Any]:
    """Return the first red line; the others follow from it."""
    first: dict[str, Any] = next(line for line in lines(job).values() if line["light"] == "bad")
    return first


def test_without_settings_it_says_that_no_hsm_is_used(run_jobs: RunJobs) -> None:
    job = run_check(run_jobs)
    assert lights(job) == {"idle"}
    assert "key store of this server" in lines(job)["Root key: What the next key will do"]["detail"]


def test_everything_is_green_on_a_real_token(integrated: Token, softhsm: SoftHsm, run_jobs: RunJobs) -> None:
    job = run_check(run_jobs)
    assert lights(job) == {"ok"}
    shown = lines(job)
    assert "SoftHSM" in shown["PKCS#11 module: Load the module"]["detail"]  # HSI-11
    assert integrated.serial in shown["Root key: Find the token"]["detail"]
    assert "Root key: Make a session key (ec-p384)" in shown
    assert "Message-signing key: Verify the signature on this server" in shown
    assert "made on token alpha" in shown["Root key: What the next key will do"]["detail"]  # AMB-28
    assert softhsm.objects(integrated).strip() == ""  # nothing stays
    assert TokenCapability.objects.get().self_test
    assert set(PinTrial.objects.values_list("state", flat=True)) == {PinState.ACCEPTED}


def test_it_is_recorded(integrated: Token, run_jobs: RunJobs, put: Put) -> None:
    run_check(run_jobs)
    assert Entry.objects.get(action=Action.CHECK_REQUESTED).outcome == Outcome.REQUESTED
    assert Entry.objects.get(action=Action.CHECKED).outcome == Outcome.SUCCEEDED
    put("Keys.Root.HSMPassword", "9999")
    run_check(run_jobs)
    assert Entry.objects.filter(action=Action.CHECKED).order_by("-seq")[0].outcome == Outcome.FAILED


def test_one_check_at_a_time() -> None:
    assert requests.check(actor=ALICE).pk == requests.check(actor=ALICE).pk


def crashing_library(folder: Path, body: str) -> str:
    source, library = folder / "bad.c", folder / "bad.so"
    source.write_text(body)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "/nowhere/module.so",
        lambda _: "/usr/lib",
        lambda _: "/etc/passwd",
        lambda _: "C:\\Program Files\\nCipher\\cknfast.dll",
        lambda folder: crashing_library(folder, "int nothing(void) { return 0; }"),
        lambda folder: crashing_library(
            folder, "#include <stdlib.h>\n__attribute__((constructor)) void up(void) { abort(); }"
        ),
    ],
    ids=["missing", "directory", "text file", "windows path", "not pkcs11", "crashes on load"],
)
def test_a_module_that_does_not_load_is_a_clear_line(  # SET-16
    make: Callable[[Path], str], tmp_path: Path, put: Put, run_jobs: RunJobs, var_dir: Path
) -> None:
    put("HSMModulePath", make(tmp_path))
    job = run_check(run_jobs)
    line = bad(job)
    assert line["code"] in (var_dir / "Logs" / "pki.log").read_text()
    assert line["name"] == "Load the module"
    assert line["detail"]
    assert line["code"]
    assert line["next_step"]


def test_a_module_that_hangs_on_load_is_given_up(
    tmp_path: Path, put: Put, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "#include <unistd.h>\n__attribute__((constructor)) void up(void) { for (;;) pause(); }"
    put("HSMModulePath", crashing_library(tmp_path, body))
    monkeypatch.setattr(opening, "read_module", partial(opening.read_module, deadline_s=3.0))
    line = bad(run_check(run_jobs))
    assert line["name"] == "Load the module"
    assert line["code"] == "DEADLINE"


def test_a_wrong_pin_is_tried_once_over_both_keys(integrated: Token, put: Put, run_jobs: RunJobs) -> None:  # HSI-48
    for key in ("Root", "MessageSigning"):
        put(f"Keys.{key}.HSMPassword", "9999")
    for _ in range(2):
        job = run_check(run_jobs)
        assert bad(job)["code"] == "CKR_PIN_INCORRECT"
        assert "cannot be made" in lines(job)["Root key: What the next key will do"]["detail"]
    assert PinTrial.objects.count() == 1
    assert "9999" not in str(job.result)


def test_unknown_token_and_missing_pin_are_named(put: Put, token: Token, run_jobs: RunJobs) -> None:
    point_to(put, token, "Root")
    put("Keys.Root.HSMTokenName", "omega")
    put("Keys.MessageSigning.UseHSM", 1)
    shown = lines(run_check(run_jobs))
    assert "Keys.Root.HSMTokenName" in shown["Root key: Find the token"]["detail"]
    assert "“alpha”" in shown["Root key: Find the token"]["next_step"]
    assert "Keys.MessageSigning.HSMTokenName" in shown["Message-signing key: Read the settings"]["detail"]


def test_a_token_that_is_ready_but_not_used_is_said(put: Put, token: Token, run_jobs: RunJobs) -> None:  # HSI-30
    point_to(put, token)
    for key in ("Root", "MessageSigning"):
        put(f"Keys.{key}.UseHSM", 0)
    shown = lines(run_check(run_jobs))
    assert "The token is ready for it" in shown["Root key: What the next key will do"]["detail"]


def test_the_tokens_of_a_module_are_listed_with_their_slots(integrated: Token, run_jobs: RunJobs) -> None:  # HSI-12
    job = requests.list_tokens(actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    assert job.message == "1 initialised token."
    seen = SeenToken.objects.get(initialized=True)
    assert (seen.label, seen.serial, int(seen.slot_id)) == (integrated.label, integrated.serial, integrated.slot_id)
    assert seen.slot_hex == hex(integrated.slot_id)
    assert SeenToken.objects.filter(initialized=False).exists()  # the empty slot that SoftHSM always shows


def test_a_listing_that_fails_forgets_nothing(integrated: Token, put: Put, run_jobs: RunJobs) -> None:
    requests.list_tokens(actor=ALICE)
    run_jobs()
    put("HSMModulePath", "/nowhere/module.so")
    job = requests.list_tokens(actor=ALICE)
    run_jobs()
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.next_step
    assert SeenToken.objects.exists()
