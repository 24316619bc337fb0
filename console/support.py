"""The support bundle (MIS-09): logs, settings, jobs and facts in one zip, without secrets, for whoever helps.

Protected values are not even read. A Text setting whose name sounds like a secret is masked all the same: somebody
may have chosen the wrong type.
"""

import csv
import io
import json
import os
import platform
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connection

from console import health
from console.activity.export import COLUMNS
from console.activity.models import Entry
from console.jobs.exports import Leaving
from console.jobs.kinds import JobKind, OnLost, register
from console.jobs.models import Job
from console.lib import clock, csvfile
from console.lib.digest import timestamp
from console.lib.secret import PROTECTED
from console.pkilog import reading
from settings_store.models import Setting

BUNDLE = register(
    JobKind(
        name="support.bundle",
        label="Make support bundle",
        task="support.bundle",
        time_limit_s=300,
        lease_s=330,
        on_lost=OnLost.RETRY,
        max_attempts=2,
        retry_by_hand=True,
    )
)
MADE = "support.bundle-made"
DOWNLOADED = "support.bundle-downloaded"
BUNDLES = Leaving(BUNDLE, "support", title="support", taken=DOWNLOADED, again="Make a new one.", suffix="zip")

LAST_JOBS = 500
LAST_ENTRIES = 2_000
SOUNDS_SECRET = re.compile(r"password|passphrase|secret|pin$", re.IGNORECASE)


def write(path: Path) -> list[str]:
    """Write the bundle and return the names in it; the file appears only when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with (
        os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, csvfile.MODE), "w+b") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle,
    ):
        for log in reading.files():
            bundle.write(reading.path_of(log.name), f"Logs/{log.name}")
        for name, text in _texts():
            bundle.writestr(name, text)
        names = bundle.namelist()
    part.replace(path)
    return names


def _texts() -> Iterator[tuple[str, str]]:
    yield "facts.json", _json(facts())
    yield "settings.csv", _csv(("scope", "server", "name", "type", "value", "changed at"), _settings())
    yield "jobs.csv", _csv(JOB_COLUMNS, Job.objects.order_by("-created_at").values_list(*JOB_COLUMNS)[:LAST_JOBS])
    yield "activity.csv", _csv(COLUMNS, Entry.objects.order_by("-seq").values_list(*COLUMNS)[:LAST_ENTRIES])


JOB_COLUMNS = (
    "id",
    "kind_name",
    "subject_kind",
    "subject_label",
    "state",
    "attempts",
    "created_at",
    "due_at",
    "started_at",
    "finished_at",
    "message",
    "error_code",
    "next_step",
)


def facts() -> dict[str, Any]:
    """Return what runs here; no variable of the environment, since those hold passwords."""
    return {
        "made at": timestamp(clock.now()),
        "server": settings.SERVER_NAME,
        "origin": settings.ORIGIN,
        "python": platform.python_version(),
        "system": platform.platform(),
        "database": connection.vendor,
        "health": health.ready(),
        "checks": [f"{item.id} {item.msg}" for item in checks.run_checks()],
        "packages": dict(sorted((item.metadata["Name"], item.version) for item in distributions())),
    }


def _settings() -> Iterator[tuple[str, ...]]:
    for row in Setting.objects.select_related("server").defer("sealed"):
        server = row.server.fqdn if row.server else ""
        value = PROTECTED if SOUNDS_SECRET.search(row.name) else row.shown
        yield (row.scope, server, row.name, row.value_type, value, timestamp(row.changed_at))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _csv(columns: tuple[str, ...], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return csvfile.cell(value if hasattr(value, "astimezone") else str(value))
