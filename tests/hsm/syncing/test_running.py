"""Sync keys with a real token, through the job: what is added, changed, missing, skipped, and nothing else."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import DatabaseError

from console.activity.models import Entry, Outcome
from console.jobs.models import Job
from console.lib import clock
from hsm.actions import Action
from hsm.connections.opening import open_group
from hsm.device.base import KeySpec
from hsm.device.objects import ObjectDevice, Operation
from hsm.device.tokenobjects import TokenObjects
from hsm.models.groups import ConnectionState, Group, Scan
from hsm.models.objects import ObjectState, Origin, SecurityObject, Tombstone
from hsm.objects import generation, making, permissions, record
from hsm.syncing import applying, rows, tombstones
from tests.fixtures.groups import ALICE
from tests.fixtures.softhsm import SoftHsm, Token
from tests.hsm.syncing.conftest import Sync, counts
from tests.hsm.syncing.outside import Outside

SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})


def names(group: Group) -> list[str]:
    return sorted(SecurityObject.objects.filter(group=group).values_list("name", flat=True))


def test_every_key_of_the_slot_becomes_a_virtual_key(
    group: Group, outside: Outside, sync: Sync, softhsm: SoftHsm, token: Token
) -> None:  # GRP-35, GRP-36, GRP-42, GRP-48, SOB-08, SOB-09
    outside.ec("a1", "payroll").ec("a2", "payroll").ec("a3").aes("b1", "vault").aes("a1", "also a1").done()
    job = sync(group)
    assert job.message.startswith("5 new keys from the HSM are added.")
    listed = softhsm.tool("--list-objects", token=token)
    for key in SecurityObject.objects.filter(group=group):
        assert f"ID:         {key.key_id}" in listed
        assert f"label:      {key.label}" in listed
        assert key.origin == Origin.FOUND
        assert key.hsm_has_private
        assert (key.spki_der is None) == (key.family == "secret-key")
    assert Entry.objects.filter(action="hsm.group.synced", subject_id=str(group.pk)).count() == 1

    again = sync(group)
    assert again.message.startswith("0 new keys from the HSM are added.")
    assert again.result["unchanged"]
    assert SecurityObject.objects.filter(group=group).count() == 5


def test_what_is_no_usable_key_is_reported_and_left_alone(
    group: Group, outside: Outside, sync: Sync, softhsm: SoftHsm, token: Token, tmp_path: Any
) -> None:  # AMB-39
    outside.ec("c1", "twin").ec("c1", "twin").ec("", "no id").ec("c2", "").ec("c3", b"\xff\xfe\x00raw").aes(
        "c4", b"a\x00b"
    )
    outside.ec("c5", "private only").destroy("public", "c5").ec("c6", "public only").destroy("private", "c6").done()
    certificate = tmp_path / "ca.der"
    certificate.write_bytes(a_certificate())
    softhsm.tool("--write-object", str(certificate), "--type", "cert", "--id", "c7", "--label", "ca", token=token)
    job = sync(group)
    found = {key.key_id: key for key in SecurityObject.objects.filter(group=group)}
    assert {"c2", "c3", "c4", "c5"} <= set(found)
    assert found["c2"].name.startswith("Key c2")
    assert "\x00" not in found["c3"].label + found["c4"].label
    assert found["c5"].hsm_has_public is False
    reasons = {line["what"]: line["reason"] for line in job.result["unmatched"]}
    assert any("no CKA_ID" in what for what in reasons)
    assert any("CKO_CERTIFICATE" in what for what in reasons)
    assert sum("CKA_ID c1" in line["what"] for line in job.result["unmatched"]) >= 2
    assert "c1" not in found
    assert sync(group).result["counts"]["unmatched"] == job.result["counts"]["unmatched"]


def test_a_change_in_the_hsm_is_told_and_overwrites_nothing(
    group: Group, outside: Outside, sync: Sync
) -> None:  # POL-07, POL-11
    outside.aes("d1", "vault").done()
    sync(group)
    for policy in ("do-not-apply", "apply"):
        Group.objects.filter(pk=group.pk).update(policy=policy)
        group.refresh_from_db()
        there = policy == "apply"
        outside.set("secret", "d1", "ENCRYPT", there).done()
        job = sync(group)
        assert job.result["changed"][0]["what"] == "CKA_ENCRYPT"
        key = SecurityObject.objects.get(group=group)
        assert "encrypt" in key.operations
        assert ("encrypt" in (key.hsm_operations or ())) is there


@pytest.mark.parametrize("policy", ["do-not-apply", "apply"])
def test_a_permission_that_was_taken_away_here_does_not_come_back(
    group: Group, outside: Outside, sync: Sync, run_jobs: Callable[..., list[Job]], policy: str
) -> None:  # POL-08, POL-12
    Group.objects.filter(pk=group.pk).update(policy=policy)
    outside.aes("d2", "vault").done()
    sync(group)
    key = SecurityObject.objects.get(group=group)
    without = record.values(record.operations(key) - {Operation.ENCRYPT})
    permissions.request(key, record.operations(key) - {Operation.ENCRYPT}, actor=ALICE)
    run_jobs()
    key.refresh_from_db()
    assert key.operations == without
    assert outside.read("secret", "d2", "ENCRYPT") is (policy == "do-not-apply")  # at once, or not at all
    outside.set("secret", "d2", "ENCRYPT", value=True).done()  # C_SetAttributeValue
    sync(group)
    key.refresh_from_db()
    assert key.operations == without
    assert "encrypt" in (key.hsm_operations or ())
    assert outside.read("secret", "d2", "ENCRYPT") is True


def test_a_key_that_left_the_hsm_is_missing_and_may_come_back(
    group: Group, outside: Outside, sync: Sync, module_group: Callable[..., Group]
) -> None:  # AMB-40
    outside.ec("e1", "leaves").ec("e2", "stays").done()
    sync(group)
    outside.destroy("private", "e1").destroy("public", "e1").done()
    job = sync(group)
    assert counts(job) == {"missing": 1}
    assert SecurityObject.objects.get(key_id="e1").missing_since
    assert SecurityObject.objects.get(key_id="e2").missing_since is None
    assert counts(sync(group)) == {"still_missing": 1}


def test_what_the_console_changed_is_compared_again_though_the_hsm_is_as_before(
    group: Group, outside: Outside, sync: Sync
) -> None:
    """Made by the console, then taken out by hand: the HSM gives the listing of the last sync again."""
    outside.ec("e3", "stays").done()
    sync(group)
    wanted = generation.Wanted("made here", KeySpec.EC_P256, SIGNING)
    made, job = generation.request(group, wanted, actor=ALICE)
    making.make(made.pk, actor=ALICE)
    job.delete()
    outside.destroy("private", made.key_id).destroy("public", made.key_id).done()
    assert counts(sync(group)) == {"missing": 1}
    assert SecurityObject.objects.get(pk=made.pk).missing_since


def test_a_new_cka_id_is_followed(group: Group, outside: Outside, sync: Sync) -> None:  # AMB-39
    outside.ec("f1", "moves").ec("f2", "swaps").done()
    sync(group)
    before = {key.name: key.pk for key in SecurityObject.objects.all()}
    outside.set("private", "f1", "ID", "f3").set("public", "f1", "ID", "f3").done()
    outside.set("private", "f2", "ID", "f1").set("public", "f2", "ID", "f1").done()
    outside.set("private", "f3", "ID", "f2").set("public", "f3", "ID", "f2").done()
    assert counts(sync(group)) == {"moved": 2}
    assert {key.name: (key.pk, key.key_id) for key in SecurityObject.objects.all()} == {
        "moves": (before["moves"], "f2"),
        "swaps": (before["swaps"], "f1"),
    }


def test_only_own_keys_are_imported_where_that_is_wanted(
    group: Group, module_group: Callable[..., Group], token: Token, outside: Outside, sync: Sync
) -> None:  # POL-15, POL-17, POL-18, POL-19, POL-20, GRP-46
    other = module_group(token, "The same slot")
    assert group.scan == Scan.ALL  # POL-16
    outside.ec("01", "early").done()
    sync(group)
    sync(other)
    assert names(group) == names(other) == ["early"]

    Group.objects.filter(pk=other.pk).update(scan=Scan.OWN)
    outside.ec("02", "late").set("private", "01", "LABEL", b"early, renamed".hex()).done()
    made_in(group, b"\x03" * 16, "made in the group")
    assert counts(sync(other)) == {"changed": 1, "outside": 2}  # the early one is still managed
    assert names(other) == ["early"]
    assert "late" in names_after(sync, group)

    Group.objects.filter(pk=other.pk).update(scan=Scan.ALL)
    assert counts(sync(other)) == {"added": 2}
    assert names(other) == ["early", "late", "made in the group"]


def names_after(sync: Sync, group: Group) -> list[str]:
    sync(group)
    return names(group)


def made_in(group: Group, key_id: bytes, name: str, state: str = ObjectState.ACTIVE) -> SecurityObject:
    """Make a key as the console does: its row first, then the key."""
    key = SecurityObject.objects.create(
        group=group, name=name, family="key-pair", spec=KeySpec.EC_P256, key_type="EC", bits=256, key_id=key_id.hex(),
        label=name, operations=["sign", "verify"], origin=Origin.GENERATED, state=state, created_at=clock.now(),
        created_by="alice",
    )  # fmt: skip
    with open_group(group) as device:
        key.spki_der = device.generate(key_id, KeySpec.EC_P256, name, SIGNING).spki_der
        key.save()
    return key


def test_a_deleted_virtual_key_stays_deleted_until_it_is_wanted_again(
    group: Group, sync: Sync, token: Token
) -> None:  # AMB-38
    Group.objects.filter(pk=group.pk).update(scan=Scan.OWN)
    key = made_in(group, secrets.token_bytes(16), "made here")
    sync(group)
    tombstones.bury(key, token_label=token.label, token_serial=token.serial, actor=ALICE)
    key.delete()
    for _ in range(2):
        assert counts(sync(group)) == {"skipped": 1}
    assert tombstones.import_again(group, Tombstone.objects.all(), actor=ALICE) == 1
    assert counts(sync(group)) == {"added": 1}
    back = SecurityObject.objects.get(group=group)
    assert (back.name, back.origin) == ("made here", Origin.GENERATED)
    assert not Tombstone.objects.exists()


def test_states_of_the_console_stay_as_they_are(group: Group, outside: Outside, sync: Sync) -> None:  # AMB-38
    outside.ec("91", "off").done()
    sync(group)
    SecurityObject.objects.update(deactivated_at=group.created_at, rotated_at=group.created_at)
    outside.set("private", "91", "LABEL", b"renamed".hex()).done()
    assert counts(sync(group)) == {"changed": 1}
    key = SecurityObject.objects.get()
    assert (key.deactivated_at, key.rotated_at) == (group.created_at, group.created_at)
    assert (key.name, key.label, key.hsm_label) == ("off", "off", "renamed")


@pytest.mark.parametrize("state", [ObjectState.CREATING, ObjectState.UNKNOWN, ObjectState.DESTROYING])
def test_keys_in_the_making_or_being_deleted_are_left_alone(group: Group, sync: Sync, state: ObjectState) -> None:
    busy = made_in(group, secrets.token_bytes(16), "busy", state)
    absent = SecurityObject.objects.get(pk=busy.pk)
    absent.pk, absent.key_id, absent._state.adding = None, "77" * 16, True
    absent.save()
    before = list(SecurityObject.objects.order_by("pk").values())
    assert counts(sync(group)) == {"left": 1}
    assert list(SecurityObject.objects.order_by("pk").values()) == before
    assert group.synced_digest == ""  # the next sync reads everything, whatever the HSM says


def test_a_key_that_is_made_while_the_hsm_is_read_is_not_missing(
    group: Group, outside: Outside, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.ec("81", "early").done()
    read_all = TokenObjects.read_all

    def slow(device: ObjectDevice, known_digest: str = "") -> Any:
        listing = read_all(device, known_digest)  # type: ignore[arg-type]
        if not SecurityObject.objects.filter(name="meanwhile").exists():
            made_in(group, b"\x82" * 16, "meanwhile")
        return listing

    monkeypatch.setattr(TokenObjects, "read_all", slow)
    assert counts(sync(group)) == {"added": 1}
    assert SecurityObject.objects.get(name="meanwhile").missing_since is None


def test_without_a_connection_nothing_changes(
    group: Group, outside: Outside, sync: Sync, softhsm: SoftHsm, token: Token
) -> None:  # GRP-37
    outside.ec("71").done()
    sync(group)
    softhsm.remove(token)
    before = list(SecurityObject.objects.values())
    job = sync(group, "failed")
    assert "No virtual key was changed." in job.message
    connection = group.connections.get()
    assert connection.state == ConnectionState.NOT_CONNECTED
    assert job.error_code in {connection.fault_code, "NO_CONNECTION"}
    assert job.next_step
    assert list(SecurityObject.objects.values()) == before


def test_a_sync_that_fails_half_way_changes_nothing_and_says_so(
    group: Group, outside: Outside, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.ec("61", "old").ec("62", "goes").done()
    sync(group)
    outside.ec("63", "new").ec("64", "new").destroy("private", "62").destroy("public", "62").done()
    outside.set("private", "61", "LABEL", b"renamed".hex()).done()
    monkeypatch.setattr(applying, "BATCH", 1)
    before = list(SecurityObject.every.order_by("pk").values())
    tell = rows.additions

    def breaks(*arguments: Any) -> Any:
        yield next(iter(tell(*arguments)))
        raise DatabaseError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "additions", breaks)
        job = sync(group, "failed")
    assert "disk full" in job.message
    entry = Entry.objects.filter(action=Action.SYNCED).latest("seq")
    assert (entry.outcome, "disk full" in str(entry.details)) == (Outcome.FAILED, True)
    assert "No virtual key was changed." in job.message
    assert list(SecurityObject.every.order_by("pk").values()) == before
    assert counts(sync(group)) == {"added": 2, "changed": 1, "missing": 1}


def test_what_a_killed_sync_wrote_ahead_is_seen_by_nobody_and_taken_away(
    group: Group, outside: Outside, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.ec("51").ec("52").done()

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(applying, "settle", kill)
        sync(group)
    assert SecurityObject.every.filter(state=ObjectState.INCOMING).count() == 2
    assert not SecurityObject.objects.exists()
    assert not group.security_objects.exists()
    Job.objects.filter(kind_name="hsm.sync").update(state="failed")
    assert counts(sync(group)) == {"added": 2}
    assert not SecurityObject.every.filter(state=ObjectState.INCOMING).exists()


def a_certificate() -> bytes:
    """Return a self-signed certificate, DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    now = clock.now()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
