"""Sync keys: a group takes a token's keys over, and finds nothing new the second time; beside `pkcs11-tool -O`.

    BENCH_KEYS=500 python -m bench.one sync /dev/stdout

The sync is the job itself in this process: reading through the module host, planning, and writing to SQLite on the
disk. `pkcs11-tool` lists the same token to nowhere, once before and once after, and the quicker one counts.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import stage, tokens

if TYPE_CHECKING:
    from hsm.models.groups import Group

PAIRS = int(os.environ.get("BENCH_KEYS", "10000"))
FIRST, SECOND, MEMORY = "first sync ÷ pkcs11-tool -O", "second sync ÷ pkcs11-tool -O", "memory growth, MB"
LIMITS = {FIRST: 0.5, SECOND: 0.25, MEMORY: 200}


def measure() -> dict[str, float]:
    """Return seconds, what they are of pkcs11-tool's, and how much memory the worker came to need."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-token-") as name, stage.console(None):
        from console.celery import app
        from hsm.device import opening

        token = tokens.make(Path(name) / "token", PAIRS)
        os.environ["SOFTHSM2_CONF"] = token.environment["SOFTHSM2_CONF"]
        group = _group(token)
        listings = [_list(token)]
        app.loader.import_default_modules()  # as a worker has done when the first job comes
        from hsm.connections import testing

        for connection in group.connections.all():  # as the HSM tab does by itself before anybody can click Sync keys
            assert testing.test(connection).connected
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far (proc(5)): setting up needed more
        before_mb = _peak_mb()
        first = _sync(group, expected=PAIRS)
        growth_mb = _peak_mb() - before_mb
        seconds = [_sync(group, expected=0) for _ in range(3)]
        listings.append(_list(token))
        opening.close_all()
    listing = min(listings)
    return {
        "key pairs": PAIRS,
        "pkcs11-tool -O, s": listing,
        "first sync, s": first,
        "second sync, s": min(seconds),
        FIRST: first / listing,
        SECOND: min(seconds) / listing,
        MEMORY: growth_mb,
    }


def _group(token: tokens.BigToken) -> "Group":
    from console.lib.actor import Actor
    from console.lib.secret import Secret
    from hsm.connections.entering import Entered
    from hsm.groups import creation
    from hsm.groups.creation import HsmEntry
    from hsm.groups.trusting import TrustEntry
    from hsm.models.groups import ConnectionKind, HsmType

    slot, pin = str(token.slot_id), Secret(tokens.PIN)
    entered = Entered(ConnectionKind.MODULE, module_path=tokens.SOFTHSM, slot=slot, pin=pin)
    return creation.create("bench", "", HsmEntry(HsmType.SOFTHSM2, entered, TrustEntry()), actor=Actor.system("bench"))


def _sync(group: "Group", *, expected: int) -> float:
    """Run the job here and now, and return its seconds."""
    from console.celery import app
    from console.jobs.models import Job
    from console.lib.actor import Actor
    from hsm.syncing import requests

    job = requests.sync(group, actor=Actor.system("bench"))
    began = time.perf_counter()
    app.tasks[job.kind.task](str(job.pk))
    took_s = time.perf_counter() - began
    job = Job.objects.get(pk=job.pk)
    assert job.state == "succeeded", job.message
    assert job.result["counts"]["added"] == expected, job.message
    return took_s


def _list(token: tokens.BigToken) -> float:
    command = ["pkcs11-tool", "--module", tokens.SOFTHSM, "--login", "--pin", tokens.PIN, "--list-objects"]
    began = time.perf_counter()
    subprocess.run(command, env=token.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def _peak_mb() -> float:
    """Return the most memory that this process has had since its peak was forgotten."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
