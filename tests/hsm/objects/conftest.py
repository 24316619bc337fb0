"""Keys of groups of both kinds, made the way the product makes them, and a second opinion on the token."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.jobs.models import Job
from console.servers.models import Server
from hsm.device.base import KeySpec
from hsm.device.objects import Operation
from hsm.models.groups import Group, Policy
from hsm.models.objects import ObjectState, SecurityObject
from hsm.objects import generation
from hsm.objects.generation import Wanted
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import SoftHsm, Token
from tests.shim.faulty import SOURCE, FaultyModule, build

RunJobs = Callable[..., list[Job]]
MakeKey = Callable[..., SecurityObject]
SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})
CIPHER = frozenset({Operation.ENCRYPT, Operation.DECRYPT})


@dataclass(frozen=True)
class Shown:
    """An object as pkcs11-tool lists it."""

    label: str
    usage: set[str]


@dataclass
class Slot:
    """A real token, and what pkcs11-tool says about it."""

    softhsm: SoftHsm
    token: Token

    def objects(self, kind: str) -> dict[str, Shown]:
        """Return the objects of a kind (privkey, pubkey, secrkey) by CKA_ID, hex."""
        found = {}
        for block in re.split(r"\n(?=\S)", self.softhsm.objects(self.token, kind)):
            lines = dict(re.findall(r"^\s+(label|ID|Usage):\s*(.*?)\s*$", block, re.MULTILINE))
            if "ID" in lines:
                usage = set(lines.get("Usage", "").replace(" ", "").split(",")) - {"", "none"}
                found[lines["ID"]] = Shown(lines.get("label", ""), usage)
        return found

    def halves(self, key: SecurityObject) -> tuple[Shown | None, Shown | None]:
        """Return the private (or secret) and the public object of a key."""
        kind = "secrkey" if key.family == "secret-key" else "privkey"
        return self.objects(kind).get(key.key_id), self.objects("pubkey").get(key.key_id)


@pytest.fixture
def slot(softhsm: SoftHsm) -> Slot:
    return Slot(softhsm, softhsm.token("objects"))


@pytest.fixture
def hsm_group(slot: Slot, module_group: Callable[..., Group]) -> Group:
    return module_group(slot.token)


@pytest.fixture(params=["software", "module"])
def any_group(request: pytest.FixtureRequest) -> Group:
    """Return a group of either kind: what is done to its keys looks alike."""
    group: Group = request.getfixturevalue("software_group" if request.param == "software" else "hsm_group")
    return group


@pytest.fixture
def make(run_jobs: RunJobs) -> MakeKey:
    """Return a function that generates a key and waits for it."""

    def generate(
        group: Group,
        spec: KeySpec = KeySpec.EC_P256,
        name: str = "payments",
        operations: frozenset[Operation] | None = None,
    ) -> SecurityObject:
        chosen = operations or (CIPHER if spec.is_aes else SIGNING)
        key, _ = generation.request(group, Wanted(name, spec, chosen), actor=ALICE)
        run_jobs()
        key.refresh_from_db()
        return key

    return generate


def apply_changes(group: Group) -> None:
    """Switch the policy, as EDIT POLICY does."""
    Group.objects.filter(pk=group.pk).update(policy=Policy.APPLY)
    group.refresh_from_db()


@pytest.fixture
def go_on(server: Server, go_on: Callable[..., None]) -> Callable[[], None]:
    """Go on, until nothing is to be looked for on a device either."""
    from hsm.objects import reconciler

    def look() -> bool:
        reconciler.reconcile(server)
        return SecurityObject.objects.filter(look_after__isnull=False, state=ObjectState.FAILED).exists()

    return lambda: go_on(look)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, tmp_path_factory.mktemp("shim") / "libfaulty.so")


@pytest.fixture
def shim(library: Path, slot: Slot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaultyModule:
    """Return the real module inside the shim."""
    folder = tmp_path / "orders"
    folder.mkdir()
    module = FaultyModule(library, folder, slot.token.module)
    for name, value in module.environment.items():
        monkeypatch.setenv(name, value)
    return module


@pytest.fixture(autouse=True)
def _no_hosts_left() -> Iterator[None]:
    from tests.fixtures.softhsm import close_hosts

    yield
    close_hosts()
