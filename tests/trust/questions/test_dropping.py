"""Environment Status says what the root keys are worth: without theirs clients drop, with it they come back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client as Browser

from console.jobs.models import Job, State
from console.lib import clock
from hsm.device import opening
from keys import rotation, subordinates
from keys.jobs import REMAKE_SUBORDINATES
from keys.models.root import Root
from keys.purposes import Purpose
from tests.fixtures.listener import Listener
from tests.fixtures.processes import wait_for
from tests.fixtures.softhsm import SoftHsm
from tests.keys.conftest import ALICE
from tests.trust.questions.test_live import Ahead
from trust.agent import beginning
from trust.agent.agent import Agent
from trust.agent.directory import Directory
from trust.clients import counting
from trust.clients.status import CONNECTED
from trust.infrastructure import writing
from trust.infrastructure.credentials import Limits
from trust.infrastructure.files import Wanted
from trust.models.clients import Client
from trust.wire.initfile import Address

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.one_database]

ROOT_AGE, TLS_KEY_AGE = timedelta(days=70), timedelta(days=65)
"""Long enough for the server's TLS key to have run out: it is valid for 60 days."""


def test_clients_drop_while_the_token_of_their_root_is_away(  # HSI-27
    listener: Listener,
    softhsm: SoftHsm,
    use_token: Callable[..., None],
    make_root: Callable[..., Root],
    run_jobs: Callable[..., list[Job]],
    admin_client: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The root signs the key by which its server is known. That key runs out; its successor needs the token."""
    server = listener.server
    assert server
    real, ahead = clock.now, -ROOT_AGE
    monkeypatch.setattr(clock, "now", lambda: real() + ahead)
    use_token(softhsm.token("root-token"), "Root")
    assert make_root().on_token
    ahead = timedelta()
    subordinates.remake(server, actor=ALICE, progress=lambda *_: None)
    listener.file()
    path, machine = tmp_path / "keystead-init.dat", Ahead()
    writing.write(path, Wanted(token=server.pk, limits=Limits()), actor=ALICE)
    connect = Address(listener.address, listener.port, 0)
    beginning.from_init(Directory(tmp_path / "d"), path.read_bytes(), name="client-1.example", connect=connect)

    def register() -> None:
        """Let so much time pass that only a registration says that the client is there, and start the client anew."""
        Client.objects.update(last_seen=clock.now() - 2 * CONNECTED)
        agent = Agent(tmp_path / "d", clock=machine, jitter=lambda low, _high: low)
        for _ in range(3):
            machine.by += timedelta(seconds=90)
            agent.step()
        agent.close()

    def says(text: str) -> bool:
        counting.count(server)
        return text in admin_client.get("/").content.decode()

    register()
    wait_for(lambda: says("1 connected: the root keys work"), what="the client on Home", every_s=0.2)

    now, ahead = clock.now(), -TLS_KEY_AGE
    subordinates.remake(server, actor=ALICE, progress=lambda *_: None, forced={Purpose.SERVER_TLS: now})
    ahead = timedelta()
    tokens, away = softhsm.folder / "tokens", softhsm.folder / "away"
    tokens.rename(away)
    tokens.mkdir()
    opening.close_all()
    rotation.start_due(server)
    run_jobs()
    assert Job.objects.filter(kind_name=REMAKE_SUBORDINATES.name).latest("created_at").state != State.SUCCEEDED
    listener.file()
    register()
    assert "server-not-trusted" in (tmp_path / "d" / "Logs" / "pki-tls.log").read_text()
    assert says("No client is connected")
    assert says("0 of 1")

    tokens.rmdir()
    away.rename(tokens)
    opening.close_all()
    subordinates.remake(server, actor=ALICE, progress=lambda *_: None)
    listener.file()
    register()
    wait_for(lambda: says("1 connected: the root keys work"), what="the client that came back", every_s=0.2)
