"""A console with something on every page: roots in both stores, a revocation that waits, settings, jobs, two users."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils.module_loading import autodiscover_modules
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from console.accounts.models import User
from console.jobs.models import Job, State
from console.lib import setup
from console.servers.models import Server
from keys import revocation, roots
from keys.models.root import Root
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate
from settings_store import store
from tests.fixtures.softhsm import SoftHsm

SETTINGS = (
    ("HSMModulePath", "Text"),
    ("Keys.Root.HSMTokenName", "Text"),
    ("Keys.Root.HSMPassword", "Protected"),
    ("Keys.Root.UseHSM", "Numeric"),
)


@dataclass(frozen=True)
class World:
    """What the pages of the test are about."""

    admin: User
    auditor: User
    old: Root
    new: Root
    revocation: Job

    def values(self) -> dict[str, Callable[[], object]]:
        """Return how each parameter of an address is filled, by its name or by route and name."""
        return {
            "user_id": lambda: self.auditor.pk,
            "key": lambda: "auditor",
            "accounts:grant.key": lambda: "administrator",
            "session_id": lambda: 1,
            "pk": lambda: Authenticator.objects.get(user=self.admin).pk,
            "job_id": lambda: self.revocation.pk,
            "jobs:card.job_id": lambda: Job.objects.filter(state=State.SUCCEEDED).latest("created_at").pk,
            "root_id": lambda: self.new.pk,
            "keys:revoke.root_id": lambda: self.old.pk,
            "keys:schedule.root_id": lambda: self.old.pk,
            "keys:cancel-revocation.root_id": lambda: self.old.pk,
            "key_id": lambda: Subordinate.objects.latest("created_at").pk,
            "cross_id": lambda: CrossCertificate.objects.latest("pk").pk,
            "setting_key": lambda: "Local:Keys.Root.HSMTokenName",
        }


@pytest.fixture
def world(server: Server, admin: User, auditor: User, softhsm: SoftHsm, run_jobs: Callable[..., list[Job]]) -> World:
    """Set a server up as `manage.py setup` does, then work with it as an Administrator would."""
    autodiscover_modules("setup")
    for step in setup.steps():
        step.run()
    old = roots.newest(server)
    assert old
    token = softhsm.token("luna-prod")
    for (name, value_type), value in zip(SETTINGS, (token.module, token.label, token.pin, "1"), strict=True):
        store.add(name, value, scope="Local", value_type=value_type, actor=admin.actor)
    roots.request(actor=admin.actor, form_token=uuid.uuid4())
    ran = run_jobs()
    add_security_key(admin)
    new = roots.newest(server)
    assert new
    assert new.pk != old.pk, [(job.kind_name, job.state, job.message) for job in ran]
    return World(admin, auditor, old, new, revocation.schedule_in_a_week(old, actor=admin.actor))


def add_security_key(user: User) -> None:
    """Give a user a security key whose private half nobody has: the pages about it only read."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    credential_id = bytes(range(16))
    attested = AttestedCredentialData.create(bytes(16), credential_id, ES256.from_cryptography_key(public))
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    data = AuthenticatorData.create(bytes(32), flags, 0, bytes(attested))
    credential = {
        "id": websafe_encode(credential_id),
        "rawId": websafe_encode(credential_id),
        "type": "public-key",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": websafe_encode(b'{"type":"webauthn.create","challenge":"","origin":"http://localhost"}'),
            "attestationObject": websafe_encode(bytes(AttestationObject.create("none", data, {}))),
        },
    }
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Key in the safe", "credential": credential}
    )
