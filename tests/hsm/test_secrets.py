"""Key material, its passphrase and what keys are used on: readable nowhere, whatever was done with them."""

import base64
import logging
import secrets
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from django.test import Client
from django.urls import reverse

from console import support
from console.jobs.models import Job
from hsm.models.groups import Group
from hsm.models.objects import KeyMaterial, ObjectState, SecurityObject
from tests.fixtures.searching import places_of

PASSPHRASE, WRONG = "tenebrous-otter-44", "not-that-otter-7"
PLAINTEXT = "pay 1,000,000 to mallory"


@pytest.fixture
def pages() -> list[str]:
    """Collect what a browser was shown."""
    return []


def test_material_passphrase_and_data_are_readable_nowhere(  # GRP-42, SOB-12
    software_group: Group,
    admin_client: Client,
    run_jobs: Callable[..., list[Job]],
    var_dir: Path,
    caplog: pytest.LogCaptureFixture,
    pages: list[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    pair, aes = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(32)
    scalar = pair.private_numbers().private_value.to_bytes(32)
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())).decode()
    common = {"group": str(software_group.pk), "how": "import", "operations": ["sign", "verify"]}
    of_pair = {**common, "name": "brought pair", "key_type": "ec", "shown_type": "ec", "spec": "ec-p256", "value": pem}
    of_aes = {
        **common,
        "name": "brought secret",
        "key_type": "aes",
        "shown_type": "aes",
        "spec": "aes-256",
        "spelling": "hex",
        "value": aes.hex(),
        "operations": ["encrypt", "decrypt"],
    }

    def send(path: str, data: Mapping[str, object]) -> str:
        """Send a form, run what it queued, and look at the page that it leads to."""
        asked = admin_client.post(path, data)
        pages.append(asked.content.decode())
        assert asked.status_code == 302, pages[-1]
        jobs = run_jobs()
        pages.append(admin_client.get(asked.headers["Location"]).content.decode())
        pages.extend(admin_client.get(reverse("jobs:detail", args=[job.pk])).content.decode() for job in jobs)
        return asked.headers["Location"]

    new = reverse("hsm:object-new")
    correct = send(new, {**of_pair, "passphrase": WRONG})
    send(correct, {**of_pair, "passphrase": PASSPHRASE})
    send(new, of_aes)
    assert set(SecurityObject.objects.values_list("name", "state")) >= {
        ("brought pair", ObjectState.ACTIVE),
        ("brought secret", ObjectState.ACTIVE),
    }
    assert not KeyMaterial.objects.exists()
    key = SecurityObject.objects.get(name="brought secret")
    use = f"{reverse('hsm:object-use', args=[key.pk])}?operation=encrypt"
    send(use, {"scheme": "aes-gcm", "content": PLAINTEXT, "content_written": "text"})
    pages.append(admin_client.get(reverse("activity:list")).content.decode())
    bundle = make_bundle(admin_client, run_jobs)
    shown = caplog.text + "".join(pages) + bundle
    for secret in (scalar, aes, PASSPHRASE, WRONG, PLAINTEXT):
        assert places_of(secret, var_dir, text=shown) == []
    assert set(places_of("brought secret", var_dir, text=shown)) >= {"hsm_securityobject.name", "text"}
    assert base64.b64encode(aes).decode() not in shown


def make_bundle(client: Client, run_jobs: Callable[..., list[Job]]) -> str:
    """Return everything that stands in a support bundle."""
    client.post(reverse("console:support"))
    job = next(job for job in run_jobs() if job.kind_name == support.BUNDLE.name)
    with zipfile.ZipFile(support.BUNDLES.path_of(job.pk)) as bundle:
        return "".join(bundle.read(name).decode(errors="replace") for name in bundle.namelist())
