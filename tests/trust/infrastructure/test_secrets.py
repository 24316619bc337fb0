"""The password of an enrolment credential and the key of a download: readable nowhere but where they belong."""

import base64
import logging
from pathlib import Path

import pytest
from django.urls import reverse

from console.jobs.models import Job
from console.lib.pair import Pair
from tests.fixtures.searching import places_of
from tests.trust.infrastructure.conftest import Browser
from trust.infrastructure import files
from trust.models.credentials import Credential
from trust.models.initfiles import InitFile
from trust.wire import initfile

pytestmark = pytest.mark.django_db  # on both: the search looks into every cell


def test_the_secret_is_readable_nowhere(browser: Browser, var_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = browser.ask()
    place = asked.headers["Location"]
    browser.run_jobs()
    page = browser.client.get(place)
    # While the file waits it is in the database, and only the browser can open it.
    file = InitFile.objects.get()
    sealed = bytes(file.sealed or b"")
    secret = initfile.decode(open_as_the_browser(browser, file)).enrolment.secret
    key = browser.client.cookies["keystead_init_file"].value
    shown = [asked.content.decode(), page.content.decode()]
    assert places_of(secret, var_dir, text=caplog.text + "".join(shown)) == []
    assert places_of(key, var_dir, text=caplog.text + "".join(shown)) == []
    assert secret.encode() not in sealed
    raw = browser.client.get(f"{place}keystead-init.dat").content
    assert secret.encode() not in raw  # Base64 holds it
    assert initfile.decode(raw).enrolment.secret == secret
    credential = Credential.objects.get()
    job = Job.objects.get(subject_id=str(credential.pk))
    paths = [
        place,
        reverse("trust:infrastructure"),
        reverse("trust:credentials"),
        reverse("trust:credential", args=[credential.pk]),
        reverse("trust:credential-withdraw", args=[credential.pk]),
        reverse("jobs:detail", args=[job.pk]),
        reverse("activity:list"),
    ]
    shown += [browser.client.get(path).content.decode() for path in paths]
    assert places_of(secret, var_dir, text=caplog.text + "".join(shown)) == []
    assert places_of(key, var_dir, text=caplog.text + "".join(shown)) == []
    # The search finds what is there.
    assert "trust_credential.note" in places_of("Berlin office", var_dir)
    assert secret not in repr(initfile.decode(raw).enrolment)


def open_as_the_browser(browser: Browser, file: InitFile) -> bytes:
    """Open the sealed file with the key in the browser's cookie, without fetching it."""
    key = base64.urlsafe_b64decode(browser.client.cookies["keystead_init_file"].value)
    opened = Pair.from_secret(key).open(bytes(file.sealed or b""), purpose=files.PURPOSE, row_id=str(file.pk))
    return opened.reveal_bytes()
