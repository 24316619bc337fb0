"""TEST CONNECTION against a real gateway: the words, the class of fault, and that a PIN is sent once."""

from collections.abc import Callable

import pytest

from console.activity.models import Entry
from console.jobs.models import Job, State
from console.lib.errors import RefusedError
from console.lib.secret import Secret
from console.servers.models import Server
from hsm import pins
from hsm.actions import Action
from hsm.connections import editing, requests, testing
from hsm.connections.entering import Entered
from hsm.connections.opening import open_group, served_by
from hsm.device.base import TokenInfo
from hsm.device.codes import error_for
from hsm.device.gateway import GatewayDevice
from hsm.groups import creation, trusting
from hsm.groups.creation import HsmEntry
from hsm.groups.trusting import TrustEntry
from hsm.models.groups import Connection, ConnectionKind, ConnectionState, Group, HsmType, Trust
from tests.fixtures.groups import ALICE, add_connection, by_gateway
from tests.hsm.connections.conftest import Served

pytestmark = pytest.mark.one_database


@pytest.fixture
def group(gateway_group: Callable[..., Group], served: Served) -> Group:
    made: Group = gateway_group(served.gateway, served.token)
    return made


def only(group: Group) -> Connection:
    return group.connections.select_related("group").get()


def change(group: Group, **changes: object) -> Connection:
    """Edit the only connection as its form would."""
    row = only(group)
    values = {**{name: getattr(row, name) for name in ("kind", "address", "port", "module_path", "slot")}, **changes}
    return editing.edit(row, Entered(**values), seen=editing.version(row), actor=ALICE)


def test_a_new_group_is_tested_at_once(group: Group, served: Served, run_jobs: Callable[..., list[Job]]) -> None:
    (job,) = run_jobs()
    assert job.state == State.SUCCEEDED
    assert job.message.startswith("Connected: served (serial ")  # GRP-19
    row = only(group)
    assert (row.state, row.label, row.serial) == (ConnectionState.CONNECTED, "served", served.token.serial)
    assert row.state_since
    assert row.latency_ms
    assert row.latency_ms > 0
    assert row.is_open  # this gateway has no CA_FILE
    assert served.token.pin not in str(job.result)


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"address": "no-such-host.invalid"}, "GATEWAY_NAME", "Name not found"),
        ({"port": 1}, "GATEWAY_REFUSED", "Refused"),
        ({"slot": ""}, "CONNECTION_INCOMPLETE", "Incomplete"),
        ({"slot": "77"}, "GATEWAY_SLOT", "No such slot"),
        ({"address": ""}, "CONNECTION_INCOMPLETE", "Incomplete"),
    ],
)
def test_the_class_of_fault_is_named(group: Group, changes: dict[str, object], code: str, word: str) -> None:
    change(group, **changes)
    outcome = testing.test(only(group))
    assert (outcome.words, outcome.code, outcome.fault) == ("Not Connected", code, word)  # GRP-20
    assert outcome.next_step
    row = only(group)
    assert (row.state, row.fault_code) == (ConnectionState.NOT_CONNECTED, code)


def test_a_gateway_of_a_private_ca_needs_custom_ca(served: Served, group: Group) -> None:  # GRP-13, GRP-14
    plain = HsmEntry(HsmType.LUNA, by_gateway(served.gateway, served.token), TrustEntry())
    other = creation.create("Global", "", plain, actor=ALICE)
    assert testing.test(only(other)).code == "GATEWAY_TLS_UNTRUSTED"
    assert testing.test(only(group)).connected
    trusting.set_trust(
        other, TrustEntry(Trust.CUSTOM, served.gateway.ca_pem), seen=trusting.version(other), actor=ALICE
    )
    assert testing.test(only(other)).connected


def test_editing_keeps_the_pin(group: Group, served: Served) -> None:  # GRP-33
    change(group, port=1)
    assert not testing.test(only(group)).connected
    change(group, port=served.gateway.port)
    assert testing.test(only(group)).connected


def test_a_slot_of_another_gateway_port_is_no_clash_but_another_slot_is(group: Group, served: Served) -> None:
    entered = by_gateway(served.gateway, served.token)
    for slot, code in ((entered.slot, "connection-twice"), ("9", "gateway-other-slot")):  # AMB-18, GRP-41
        with pytest.raises(RefusedError) as caught:
            add_connection(group, Entered(entered.kind, entered.address, entered.port, slot=slot))
        assert caught.value.code == code
    assert Entry.objects.filter(action=Action.CONNECTION_ADDED, outcome="refused").count() == 2
    add_connection(group, Entered(entered.kind, entered.address, 5000, slot="9"))
    assert group.connections.count() == 2


def test_a_second_group_may_use_the_same_slot(
    group: Group, served: Served, gateway_group: Callable[..., Group]
) -> None:  # GRP-46
    other = gateway_group(served.gateway, served.token, title="Second")
    assert testing.test(only(group)).connected
    assert testing.test(only(other)).connected


def test_operations_go_on_through_the_next_connection_and_come_back(group: Group, served: Served) -> None:  # GRP-27
    standby = served.gateways.start(
        served.token.module, slots=[served.token.slot_id], environment=served.farm.environment
    )
    second = add_connection(group, by_gateway(standby, served.token))
    standby_name = f"{second.name} slot {second.slot}"
    with open_group(group) as device:
        device.probe()
        first_name = served_by(device)
    assert first_name != standby_name
    served.gateway.kill()
    try:
        with open_group(group) as device:
            device.probe()
            assert served_by(device) == standby_name
        first = group.connections.all()[0]
        assert (first.state, first.fault_code) == (ConnectionState.NOT_CONNECTED, "GATEWAY_REFUSED")
        assert Entry.objects.get(action=Action.CONNECTION_LOST).subject_id == str(first.pk)
    finally:
        served.gateway.start()
        standby.stop()
    assert testing.test(group.connections.select_related("group")[0]).connected
    assert Entry.objects.filter(action=Action.CONNECTION_BACK).exists()
    with open_group(group) as device:
        device.probe()
        assert served_by(device) == first_name


def test_a_test_is_not_asked_for_twice(group: Group, run_jobs: Callable[..., list[Job]]) -> None:
    run_jobs()
    first = requests.ask_for_test(group, actor=ALICE)
    assert requests.ask_for_test(group, actor=ALICE) == first
    assert requests.test_by_itself(group, actor=ALICE) == first
    run_jobs()
    assert requests.test_by_itself(group, actor=ALICE) is None  # not again within 30 s (GRP-31)
    assert Job.objects.filter(kind_name=first.kind_name).count() == 2


def test_what_is_changed_during_a_test_is_tested_after_it(group: Group, run_jobs: Callable[..., list[Job]]) -> None:
    run_jobs()
    running = requests.request_test(only(group), actor=ALICE)
    Job.objects.filter(pk=running.pk).update(state=State.RUNNING)
    after = requests.request_test(change(group, port=1), actor=ALICE)
    assert after != running
    assert requests.request_test(only(group), actor=ALICE) == after


def test_a_wrong_pin_is_sent_once(served: Served, group: Group) -> None:
    """A gateway of its own: it lets a PIN that is not verified through once in 15 minutes."""
    own = served.gateways.start(served.token.module, slots=[served.token.slot_id], environment=served.farm.environment)
    try:
        entered = Entered(
            ConnectionKind.GATEWAY, own.host, own.port, slot=str(served.token.slot_id), pin=Secret("99999999")
        )
        trust = TrustEntry(Trust.CUSTOM, own.ca_pem)
        other = creation.create("Mistyped", "", HsmEntry(HsmType.LUNA, entered, trust), actor=ALICE)
        assert testing.test(only(other)).fault == "Wrong PIN"
        assert only(other).pin_rejected_version == only(other).pin_version
        tries = own.log.count("CKR_PIN_INCORRECT")
        outcome = testing.test(only(other))
        assert "not sent again" in outcome.message
        assert own.log.count("CKR_PIN_INCORRECT") == tries
        assert Entry.objects.filter(action=Action.CONNECTION_PIN_REJECTED).count() == 1
        assert "99999999" not in own.log
    finally:
        own.stop()


def test_validate_host_compares_the_name(server: Server, served: Served) -> None:  # GRP-18
    issued = served.gateways.authority.issue("gw1.example", ("gw1.example",))
    named = served.gateways.start(
        served.token.module, slots=[served.token.slot_id], issued=issued, environment=served.farm.environment
    )
    try:
        found = {}
        for validate_host in (True, False):
            trust = TrustEntry(Trust.CUSTOM, named.ca_pem, validate_host=validate_host)
            entry = HsmEntry(HsmType.LUNA, by_gateway(named, served.token), trust)
            group = creation.create(f"Validate Host {validate_host}", "", entry, actor=ALICE)
            outcome = testing.test(only(group))
            found[validate_host] = (outcome.connected, outcome.fault)
        assert found == {True: (False, "Host name mismatch"), False: (True, "")}
    finally:
        named.stop()


@pytest.mark.parametrize("proven", [True, False])
def test_silence_says_nothing_against_a_pin(
    group: Group, served: Served, monkeypatch: pytest.MonkeyPatch, proven: bool
) -> None:
    """An HSM that hangs for an hour serves again afterwards; nobody has to enter the PIN anew."""
    row = only(group)
    if proven:
        assert testing.test(row).connected
    with monkeypatch.context() as hanging:
        hanging.setattr(GatewayDevice, "token", _never_answers)
        found = [testing.test(only(group)) for _ in range(5)]
    if proven:
        assert {one.code for one in found} == {"DEADLINE"}
        assert testing.test(only(group)).connected
    else:  # an untried PIN may have been counted each time: after three times the token is spared
        assert [one.code for one in found][:3] == ["DEADLINE"] * 3
        assert "127.0.0.1" in found[3].message


def _never_answers(_device: GatewayDevice) -> TokenInfo:
    raise error_for("DEADLINE")


def test_a_connection_serves_many_at_once(group: Group, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a slow gateway keeps nobody else from it."""
    assert testing.test(only(group)).connected
    monkeypatch.setattr(pins, "WAIT_FOR_OTHER_S", 0)
    token = GatewayDevice.token

    def while_another_asks(device: GatewayDevice) -> TokenInfo:
        monkeypatch.setattr(GatewayDevice, "token", token)
        assert testing.test(only(group)).connected
        return token(device)

    monkeypatch.setattr(GatewayDevice, "token", while_another_asks)
    assert testing.test(only(group)).connected
