"""PINs and client keys are readable nowhere: no table, no log, no page, no broker message (GRP-32)."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from console.jobs.models import Job
from hsm.models.groups import Connection, ConnectionKind, Group, HsmType, Trust
from tests.fixtures.certificates import Authority
from tests.fixtures.softhsm import SoftHsm

RIGHT, WRONG = "7391846205", "5500718293"


def rows() -> Iterator[str]:
    """Yield every value of every table, bytes as text as far as they are text."""
    for model in apps.get_models():
        for values in model._base_manager.values_list():
            for value in values:
                raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                yield raw.decode(errors="replace")


def test_pins_and_client_keys_are_readable_nowhere(
    var_dir: Path,
    admin_client: Client,
    softhsm: SoftHsm,
    run_jobs: Callable[..., list[Job]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = softhsm.token("quiet", pin=RIGHT)
    authority = Authority("Quiet CA")
    issued = authority.issue("console", ("console.example",))
    caplog.set_level(logging.DEBUG)
    new = reverse("hsm:group-new")
    form = {
        "linked": "yes",
        "title": "Quiet",
        "hsm_type": HsmType.SOFTHSM2,
        "kind": ConnectionKind.MODULE,
        "module_path": token.module,
        "slot": str(token.slot_id),
        "port": "4442",
        "trust": Trust.CUSTOM,
        "ca_text": authority.pem,
        "client_cert_text": issued.pem,
        "client_key": issued.key_pem,
        "validate_host": "on",
    }
    pages = [admin_client.post(new, {**form, "act": "test", "pin": WRONG}, follow=True)]
    run_jobs()
    pages.append(admin_client.post(new, {**form, "act": "save", "pin": RIGHT}, follow=True))
    jobs = run_jobs()
    group = Group.objects.get()
    assert group.client_cert_pem == issued.pem
    assert Connection.objects.get().state == "connected", [job.message for job in jobs]
    names = ("hsm:group", "hsm:group-hsm", "hsm:group-trust")
    pages += [admin_client.get(reverse(name, args=[group.pk])) for name in names]
    pages.append(admin_client.get(reverse("hsm:connection", args=[Connection.objects.get().pk])))
    key_lines = issued.key_pem.splitlines()[1:-1]
    seen = [*rows(), caplog.text, *(page.content.decode() for page in pages)]
    seen += [path.read_text(errors="replace") for path in (var_dir / "Logs").rglob("*") if path.is_file()]
    for secret in (RIGHT, WRONG, *key_lines):
        assert not [text[:200] for text in seen if secret in text]
