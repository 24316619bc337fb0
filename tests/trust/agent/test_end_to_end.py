"""The client against the real listener: real TLS, real EST, keys and documents that the product made."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from console.jobs.models import Job
from keys import revocation, rotation
from keys import setup as keys_setup
from keys.models.root import Root, RootKind
from tests.fixtures.flags import set_flag
from tests.fixtures.listener import Listener
from tests.fixtures.state import server
from tests.keys.conftest import ALICE, make_root
from tests.keys.test_revocation import plan
from tests.trust.agent.reference import log_of, middle
from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.clients.revoking import revoke
from trust.infrastructure import writing
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted
from trust.models.certificates import Certificate, Ground
from trust.models.clients import Client
from trust.models.questions import Answer, QuestionKind
from trust.publishing import publishing
from trust.questions import asking
from trust.wire.initfile import Address

# The console's server, not the one that the other tests of this folder speak with.
__all__ = ["make_root", "server"]
pytestmark = [pytest.mark.slow, pytest.mark.one_database, pytest.mark.django_db(transaction=True)]

MakeRoot = Callable[..., Root]
RunJobs = Callable[..., list[Job]]


class Ahead:
    """The clock of this machine, turned on by tests: what is due comes at once."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by

    def turn_to(self, moment: datetime) -> None:
        self.by += max(timedelta(), moment - self())


@pytest.fixture
def clock() -> Ahead:
    return Ahead()


@pytest.fixture
def begin(listener: Listener, tmp_path: Path, clock: Ahead, run_jobs: RunJobs) -> Iterator[Callable[[str], Agent]]:
    assert listener.server
    publish(listener, run_jobs)
    path = tmp_path / "keystead-init.dat"
    writing.write(path, Wanted(token=listener.server.pk, limits=Limits()), actor=ALICE)

    begun: list[Agent] = []

    def begin(name: str) -> Agent:
        connect = Address(listener.address, listener.port, 0)
        beginning.from_init(Directory(tmp_path / name), path.read_bytes(), name=name, connect=connect)
        begun.append(Agent(tmp_path / name, clock=clock, jitter=middle))
        return begun[-1]

    yield begin
    for agent in begun:
        agent.close()


def publish(listener: Listener, run_jobs: RunJobs) -> None:
    assert listener.server
    publishing.start_due(listener.server)
    run_jobs()
    listener.file()


def run(agent: Agent, clock: Ahead, until: Callable[[], bool], *, steps: int = 40) -> None:
    for _ in range(steps):
        agent.step()
        if until():
            return
        # Registrations by the dozen prove no more than one now and then.
        clock.turn_to(max(agent.due, clock() + timedelta(minutes=20)))
    raise AssertionError(f"It never came to that: {agent.state.name}\n{log_of(agent.folder)}")


def is_below(agent: Agent, root: Root) -> bool:
    return agent.state.identity is not None and agent.state.identity.root == root.fingerprint


def grounds(name: str) -> list[str]:
    return [row.ground for row in Certificate.objects.filter(client__name=name).order_by("id")]


def client_72(listener: Listener, clock: Ahead, folder: Path, run_jobs: RunJobs) -> None:
    """Register by protocol 314 in TLS, with keystead.pub and nothing else."""  # BND-02
    assert listener.server
    keys_setup.make_legacy_root()
    set_flag("enable_protocol_314_flag", 1)
    rotation.start_due(listener.server)
    run_jobs()
    listener.file()
    legacy_root = Root.objects.get(kind=RootKind.LEGACY)
    server = Address(listener.fqdn, listener.port, 0)
    pem = load_der_public_key(bytes(legacy_root.spki_der)).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    directory = Directory(folder)
    directory.settings.set_local("ReportingTLSMode", 1)
    connect = Address(listener.address, listener.port, 0)
    beginning.from_public_key(directory, pem, name="old.example", server=server, connect=connect)
    agent = Agent(folder, clock=clock, jitter=middle)
    # The flag reaches the listener within a second.
    run(agent, clock, lambda: Client.objects.filter(name="old.example", using_tls=True).exists())
    assert set(agent.state.roots) == {legacy_root.fingerprint}
    agent.close()
    assert not Client.objects.get(name="old.example").authenticated


def test_clients_follow_their_server_through_a_rotation(  # AMB-05, HSI-44, KEY-43 to KEY-45, KEY-47, KEY-58, BND-01
    begin: Callable[[str], Agent],
    clock: Ahead,
    listener: Listener,
    tmp_path: Path,
    run_jobs: RunJobs,
    make_root: MakeRoot,
) -> None:
    here, away = begin("here.example"), begin("away.example")
    away.step()
    here.step()
    client = Client.objects.get(name="here.example", authenticated=True)
    assert here.state.client_id == str(client.pk), log_of(tmp_path / "here.example")
    assert here.state.sequences.trust_list
    assert here.state.sequences.settings

    question = asking.ask(QuestionKind.ROOT_KEYS_HELD, actor=ALICE)
    run_jobs()
    run(here, clock, lambda: Answer.objects.filter(question=question).exists())
    assert Answer.objects.get(question=question).value == " ".join(sorted(here.state.roots))

    old, new = Root.objects.get(number=0), make_root()
    publish(listener, run_jobs)
    run(here, clock, lambda: is_below(here, new))
    assert set(here.state.roots) == {old.fingerprint, new.fingerprint}

    revocation.request(old, plan(old), actor=ALICE)
    run_jobs()
    publish(listener, run_jobs)
    run(here, clock, lambda: set(here.state.roots) == {new.fingerprint})
    run(here, clock, lambda: Client.objects.get(pk=client.pk).root_id == new.pk)
    assert grounds("here.example") == [Ground.CREDENTIAL, Ground.RENEWAL]

    client_72(listener, clock, tmp_path / "old.example", run_jobs)

    # Who was away holds only the old root and a certificate below it, and comes back by itself.
    run(away, clock, lambda: set(away.state.roots) == {new.fingerprint})
    assert is_below(away, new)
    assert grounds("away.example") == [Ground.CREDENTIAL, Ground.LAST_KEY]
    assert "certificate-refused" in log_of(tmp_path / "away.example")

    # A revoked client is refused for good.
    revoke(Client.objects.get(name="away.example", authenticated=True), "lost", actor=ALICE)
    run(away, clock, lambda: "client-revoked" in log_of(tmp_path / "away.example"))
    for _ in range(3):
        clock.turn_to(away.step())
    assert len(grounds("away.example")) == 2
