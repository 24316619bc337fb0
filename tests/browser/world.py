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

from console.accounts.grants import RoleKey
from console.accounts.models import User
from console.activity.models import Entry
from console.help_pages import PAGES
from console.jobs.models import Job, State
from console.lib import clock, setup
from console.lib.secret import Secret
from console.servers.models import Server
from hsm import members
from hsm.connections import editing
from hsm.connections.entering import Entered
from hsm.device.base import KeySpec
from hsm.device.objects import Operation, operations_of
from hsm.groups import creation
from hsm.groups.creation import HsmEntry
from hsm.groups.trusting import TrustEntry
from hsm.models.groups import ConnectionKind, Group, GroupRole, HsmType
from hsm.models.objects import KeyUse, ObjectState, SecurityObject
from hsm.objects import activation, generation
from hsm.syncing import requests as syncing
from hsm.use import asking
from keys import revocation, roots
from keys.integration import Integration
from keys.jobs import CREATE_ROOT
from keys.models.backup import Backup
from keys.models.root import Root
from keys.models.statements import CrossCertificate
from keys.models.subordinate import Subordinate
from settings_store import store
from tests.browser import fleet
from tests.browser.routes import Values
from tests.fixtures.groups import by_module
from tests.fixtures.softhsm import SoftHsm, Token

SETTINGS = (
    ("HSMModulePath", "Text"),
    ("Keys.Root.HSMTokenName", "Text"),
    ("Keys.Root.HSMPassword", "Protected"),
    ("Keys.Root.UseHSM", "Numeric"),
)
KEYS = (
    ("hsm", "invoices", KeySpec.EC_P256),
    ("hsm", "retired", KeySpec.EC_P256),
    ("software", "archive", KeySpec.AES_256),
)
SHOWN = [name for _, name, _ in KEYS]  # each on a page of its own


@dataclass(frozen=True)
class World:
    """What the pages of the test are about."""

    admin: User
    auditor: User
    old: Root
    new: Root
    revocation: Job
    hsm_group: Group
    software_group: Group

    def values(self) -> Values:
        """Return what fills the parameters of addresses."""
        created = Job.objects.filter(state=State.SUCCEEDED, kind_name=CREATE_ROOT.name).latest("created_at")
        return {
            "user_id": [self.auditor.pk],
            "key": [RoleKey.AUDITOR],
            "accounts:grant.key": [RoleKey.ADMINISTRATOR],
            "session_id": [1],
            "pk": [Authenticator.objects.get(user=self.admin).pk],
            "job_id": [self.revocation.pk],
            "jobs:detail.job_id": [self.revocation.pk, created.pk],
            "root_id": [self.old.pk],
            "keys:root.root_id": [self.new.pk, self.old.pk],
            "key_id": [Subordinate.objects.latest("created_at").pk],
            "cross_id": [CrossCertificate.objects.latest("pk").pk],
            "binding_id": [self.new.binding_id],
            "backup_id": Backup.objects.values_list("pk", flat=True),
            "setting_key": ["Local:Keys.Root.HSMTokenName", "Local:Keys.Root.HSMPassword"],
            "seq": [Entry.objects.latest("seq").seq],
            "name": ["pki.log"],
            "slug": [],
            "console:help-page.slug": [page.slug for page in PAGES],
            "keys:integration-step.slug": [step.slug for step in Integration().steps],
            **self.values_of_groups(),
            **fleet.values(),
        }

    def values_of_groups(self) -> Values:
        """Return what fills the parameters of pages about groups, connections and keys."""
        keys = SecurityObject.objects.exclude(group__deleted_at__isnull=False)
        both = [self.hsm_group.pk, self.software_group.pk]
        use = KeyUse.objects.latest("created_at")
        return {
            "group_id": [self.hsm_group.pk],
            "hsm:group.group_id": both,
            "hsm:members.group_id": both,
            "hsm:group-delete.group_id": both,
            "hsm:member-role.user_id": [self.auditor.pk],
            "hsm:member-remove.user_id": [self.auditor.pk],
            "connection_id": [self.hsm_group.connections.first().pk],  # type: ignore[union-attr]
            "how": ["down"],
            "draft_id": [uuid.UUID(int=0)],
            "object_id": [keys.get(name="invoices").pk],
            "hsm:object.object_id": [key.pk for key in keys.filter(name__in=SHOWN)],
            "hsm:object-use.object_id": [key.pk for key in keys.filter(name__in=SHOWN)],
            "hsm:object-use-result.object_id": [use.object_id],
            "use_id": [use.pk],
            "hsm:sync-report.job_id": [
                Job.objects.filter(kind_name="hsm.sync", state=State.SUCCEEDED).latest("created_at").pk
            ],
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
    add_backups(server, admin)
    new = roots.newest(server)
    assert new
    assert new.pk != old.pk, [(job.kind_name, job.state, job.message) for job in ran]
    hsm_group, software_group = add_groups(token, admin, auditor, run_jobs)
    fleet.add_clients(server, old, new, admin, run_jobs)
    planned = revocation.schedule_in_a_week(old, actor=admin.actor)
    return World(admin, auditor, old, new, planned, hsm_group, software_group)


def add_groups(token: Token, admin: User, auditor: User, run_jobs: Callable[..., list[Job]]) -> tuple[Group, Group]:
    """Make a group on the token and one in pki.db: with members, keys in several states, a sync, a key's use."""
    entry = HsmEntry(HsmType.SOFTHSM2, by_module(token), TrustEntry())
    group = creation.create("Luna production", "Keys of the order system.", entry, actor=admin.actor)
    away = Entered(ConnectionKind.GATEWAY, "hmg-fra-2.invalid", slot="0", pin=Secret("24681357"))
    editing.add(group, away, actor=admin.actor)
    software = creation.create("Payroll", "", actor=admin.actor)
    for of in (group, software):
        members.add(of, auditor.username, GroupRole.MEMBER, actor=admin.actor)
    for place, name, spec in KEYS:
        home = group if place == "hsm" else software
        generation.request(home, generation.Wanted(name, spec, operations_of(spec)), actor=admin.actor)
    syncing.sync(group, actor=admin.actor)
    run_jobs()
    made = {key.name: key for key in SecurityObject.objects.filter(state=ObjectState.ACTIVE)}
    activation.deactivate(made["retired"], actor=admin.actor)
    asking.request(made["invoices"], asking.Wanted(Operation.SIGN, "ecdsa-sha256", b"text"), actor=admin.actor)
    run_jobs()
    return group, software


def add_backups(server: Server, admin: User) -> None:
    """List a backup that was made and one that was not; the archive itself is of no use to a page."""
    about = {"server": server, "asked_by": admin.username, "asked_at": clock.now()}
    Backup.objects.create(**about, label="pre-revocation", problem="The backup could not be written: disk full.")
    Backup.objects.create(
        **about,
        label="post-revocation",
        path="/var/lib/keystead/backups/ts1.example.com-post-revocation-20261122T120000Z-0a1b2c3d.keystead-backup",
        size=483_328,
        sha256="9f" * 32,
        roots=["ts1.example.com Root 1"],
        not_contained=["ts1.example.com Root 1: its private key stays on the HSM token luna-prod"],
        finished_at=clock.now(),
    )


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
