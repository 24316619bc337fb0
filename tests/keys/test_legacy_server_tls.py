"""The server's TLS key below legacy-root: there while protocol 314 is enabled, and for Client 7.2 alone (KEY-08)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry
from console.lib import clock
from console.servers.models import Server
from hsm.device.base import KeySpec
from keys import destruction, propagation, rotation, verification
from keys import setup as keys_setup
from keys.actions import Action
from keys.models.root import Root, RootKind
from keys.models.subordinate import Subordinate, SubordinateState
from keys.purposes import PURPOSES, Purpose
from tests.fixtures.flags import set_flag
from tests.keys.conftest import ALICE

pytestmark = pytest.mark.django_db

FLAG = "enable_protocol_314_flag"
LEGACY = Purpose.LEGACY_SERVER_TLS


def scan(server: Server, run_jobs: Callable[..., list[Any]]) -> Subordinate | None:
    """Do what the renewal scan does; return the key in use."""
    rotation.start_due(server)
    run_jobs()
    return Subordinate.objects.active(server).filter(purpose=LEGACY).first()


def test_it_lives_as_long_as_protocol_314_is_enabled(
    server: Server,
    make_root: Callable[..., Root],
    run_jobs: Callable[..., list[Any]],
    move_clock: Callable[..., None],
    admin_client: Client,
) -> None:
    keys_setup.make_legacy_root()
    first = make_root()
    assert scan(server, run_jobs) is None
    set_flag(FLAG, 1)
    key = scan(server, run_jobs)
    assert key is not None
    legacy = Root.objects.get(kind=RootKind.LEGACY)
    assert (key.root_id, key.holder, key.store) == (legacy.pk, f"legacy.{server.fqdn}", "local")
    certificate = x509.load_der_x509_certificate(bytes(key.certificate_der))
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(legacy.certificate_der)))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"legacy.{server.fqdn}"]
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert (public.key_size, PURPOSES[LEGACY].spec) == (3072, KeySpec.RSA_3072)
    # A 7.4 client's chain ends at Root n: the two keys of this server stand beside each other.
    assert Subordinate.objects.active(server).get(purpose=Purpose.SERVER_TLS).root_id == first.pk

    # It follows no newer root, and keeps nobody from being done with a rotation.
    newer = make_root()
    assert scan(server, run_jobs) == key
    assert [(one.done, one.state) for one in propagation.components(server)] == [(True, "signed by Root 1")] * 3
    assert newer.pk == Subordinate.objects.active(server).get(purpose=Purpose.SERVER_TLS).root_id
    lines = {line.name: line for line in verification.run(server, actor=ALICE, progress=lambda *_: None)}
    assert lines["Chain of the Server TLS key for Client 7.2"].ok
    assert lines["Private key of the Server TLS key for Client 7.2"].ok
    page = admin_client.get(reverse("keys:subordinate", args=[key.pk])).content.decode()
    assert reverse("keys:rotate", args=[key.pk]) in page

    # Its own window renews it, as the settings of the server's TLS key say.
    window = rotation.interval(LEGACY, server)
    move_clock(hours=window.hours - window.window_hours + 1)
    renewed = scan(server, run_jobs)
    assert renewed is not None
    assert renewed != key
    key.refresh_from_db()
    assert key.state == SubordinateState.RETIRED

    # Once the protocol is not enabled it is retired at once, and destroyed when its certificate has ended.
    set_flag(FLAG, 0)
    assert scan(server, run_jobs) is None
    renewed.refresh_from_db()
    assert renewed.state == SubordinateState.RETIRED
    entry = Entry.objects.get(action=Action.SUBORDINATE_RETIRED)
    assert entry.subject_id == str(renewed.pk)
    assert rotation.retire_unwanted(server) == 0
    assert renewed.not_after is not None
    assert renewed not in destruction.ripe(server, clock.now())
    assert renewed in destruction.ripe(server, renewed.not_after + timedelta(seconds=1))
    set_flag(FLAG, 1)
    again = scan(server, run_jobs)
    assert again is not None
    assert again.pk not in {key.pk, renewed.pk}
