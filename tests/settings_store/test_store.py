"""The verbs: atomic, recorded, redacted."""

import json

import pytest

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib.actor import Actor
from console.lib.errors import ConflictError, InvalidError, NotFoundError
from console.lib.sealing import SealingPublic
from console.servers.models import Server
from settings_store import store, values
from settings_store.actions import Action
from settings_store.errors import ChangedMeanwhileError, NearMissError, PreSetError
from settings_store.models import FormerValue, Setting
from settings_store.opening import reveal

pytestmark = pytest.mark.usefixtures("server")
PIN = "Key.Root-4711"


def add_pin(actor: Actor, pin: str = PIN) -> Setting:
    return store.add("Keys.Root.HSMPassword", pin, scope="Local", value_type="Protected", actor=actor)


def last_entry() -> Entry:
    return Entry.objects.order_by("-seq")[0]


def test_a_setting_is_stored_and_recorded(alice: Actor) -> None:  # SET-01, SET-06
    store.add("HSMModulePath", "/m.so", scope="Local", value_type="Text", actor=alice)
    assert values.text("HSMModulePath") == "/m.so"
    entry = last_entry()
    assert (entry.action, entry.actor, entry.subject_label) == (Action.ADDED, "alice", "HSMModulePath")
    assert json.loads(entry.details)["value"] == "/m.so"


def test_a_default_counts_until_a_row_says_otherwise(alice: Actor) -> None:
    assert values.integer("TLSMode") == 1
    assert values.effective("TLSMode").source == "default"
    store.change("TLSMode", "0", scope="Global", seen="default", actor=alice)
    assert values.integer("TLSMode") == 0
    assert values.effective("TLSMode").source == "global"
    store.add("TLSMode", "1", scope="Local", value_type="Numeric", actor=alice)
    assert values.integer("TLSMode") == 1
    assert values.effective("TLSMode").source == "this server"


def test_a_protected_value_is_sealed_and_opens_in_the_worker_only(alice: Actor) -> None:  # SET-07, SET-10, AMB-49
    row = add_pin(alice)
    assert row.value == ""
    assert row.sealed is not None
    assert PIN.encode() not in bytes(row.sealed)
    sealed = values.sealed("Keys.Root.HSMPassword")
    assert sealed is not None
    assert reveal(sealed).reveal_text() == PIN
    assert PIN not in "".join(Entry.objects.values_list("details", flat=True))
    assert PIN not in json.dumps(list(Job.objects.values("params", "result", "message")))
    assert PIN not in repr(sealed)


def test_a_protected_value_is_replaced_without_the_old_one_and_kept_when_untouched(alice: Actor) -> None:  # SET-08
    row = add_pin(alice)
    before = values.sealed(row.name)
    store.change(row.name, None, scope="Local", seen=row.token, actor=alice)
    assert values.sealed(row.name) == before
    store.change(row.name, "new-pin", scope="Local", seen=row.token, actor=alice)
    after = values.sealed(row.name)
    assert after is not None
    assert before is not None
    assert reveal(after).reveal_text() == "new-pin"
    assert after.version != before.version


def test_a_deleted_and_added_row_is_another_version(alice: Actor) -> None:
    add_pin(alice)
    before = values.sealed("Keys.Root.HSMPassword")
    store.delete(["Local:Keys.Root.HSMPassword"], actor=alice)
    add_pin(alice)
    after = values.sealed("Keys.Root.HSMPassword")
    assert before is not None
    assert after is not None
    assert before.version != after.version


def test_the_same_name_twice_in_one_scope_is_refused(alice: Actor) -> None:  # SET-03
    store.add("SomethingElse", "1", scope="Local", value_type="Text", actor=alice)
    with pytest.raises(ConflictError):
        store.add("SomethingElse", "2", scope="Local", value_type="Text", actor=alice)
    store.add("SomethingElse", "2", scope="Global", value_type="Text", actor=alice)
    with pytest.raises(ConflictError):
        store.add("TLSMode", "0", scope="Global", value_type="Numeric", actor=alice)


def test_a_near_miss_is_asked_about(alice: Actor) -> None:
    with pytest.raises(NearMissError) as caught:
        store.add("HSMModulPath", "/m.so", scope="Local", value_type="Text", actor=alice)
    assert caught.value.suggestion == "HSMModulePath"
    assert not Setting.objects.exists()
    store.add("HSMModulPath", "/m.so", scope="Local", value_type="Text", actor=alice, keep_unknown_name=True)
    assert Setting.objects.get().name == "HSMModulPath"


def test_two_administrators_do_not_overwrite_each_other(alice: Actor, bob: Actor) -> None:
    row = store.add("HSMModulePath", "/a.so", scope="Local", value_type="Text", actor=alice)
    seen = row.token
    store.change("HSMModulePath", "/bob.so", scope="Local", seen=seen, actor=bob)
    with pytest.raises(ChangedMeanwhileError, match="by bob") as caught:
        store.change("HSMModulePath", "/alice.so", scope="Local", seen=seen, actor=alice)
    assert caught.value.current == "/bob.so"
    assert values.text("HSMModulePath") == "/bob.so"


def test_a_default_that_was_changed_and_reset_in_between_is_noticed(alice: Actor, bob: Actor) -> None:
    row = store.change("TLSMode", "0", scope="Global", seen="default", actor=alice)
    assert row is not None
    with pytest.raises(ChangedMeanwhileError):
        store.change("TLSMode", "0", scope="Global", seen="default", actor=bob)
    store.reset_to_default(["Global:TLSMode"], actor=bob)
    store.change("TLSMode", "0", scope="Global", seen="default", actor=bob)
    with pytest.raises(ChangedMeanwhileError):
        store.change("TLSMode", "1", scope="Global", seen=row.token, actor=alice)


def test_the_same_value_again_changes_nothing(alice: Actor) -> None:
    before = Entry.objects.count()
    assert store.change("TLSMode", "1", scope="Global", seen="default", actor=alice) is None
    assert not Setting.objects.exists()
    assert Entry.objects.count() == before


def test_several_are_deleted_with_an_entry_each_or_none(alice: Actor) -> None:  # SET-12
    for name in ("One", "Two"):
        store.add(name, "1", scope="Local", value_type="Numeric", actor=alice)
    with pytest.raises(NotFoundError):
        store.delete(["Local:One", "Local:Three"], actor=alice)
    assert Setting.objects.count() == 2
    assert store.delete(["Local:One", "Local:Two"], actor=alice) == ["One", "Two"]
    assert not Setting.objects.exists()
    assert Entry.objects.filter(action=Action.DELETED).count() == 2


def test_a_pre_set_setting_cannot_be_deleted(alice: Actor) -> None:  # AMB-11
    store.add("One", "1", scope="Local", value_type="Numeric", actor=alice)
    store.change("TLSMode", "0", scope="Global", seen="default", actor=alice)
    for keys in (["Global:TLSMode"], ["Global:TLSMode", "Local:One"], ["Global:ReportingTLSMode"]):
        with pytest.raises(PreSetError) as caught:
            store.delete(keys, actor=alice)
        assert "Reset" in caught.value.next_step
    assert Setting.objects.count() == 2


def test_a_reset_gives_the_default_back(alice: Actor) -> None:  # ROT-04
    name = "pki_client_tls_key_duration_days"
    store.change(name, "30", scope="Global", seen="default", actor=alice)
    assert store.reset_to_default([f"Global:{name}", "Global:TLSMode"], actor=alice) == [name]
    assert values.integer(name) == 7
    assert json.loads(last_entry().details) == {
        "scope": "Global", "value type": "Numeric", "from": "30", "to": "7",
    }  # fmt: skip


def test_a_raised_validity_is_recorded_whichever_was_saved_last(alice: Actor) -> None:  # ROT-06
    days, window = "pki_client_tls_key_duration_days", "PKIClientTLSKeyRenewalWindowHours"
    store.change(days, "1", scope="Global", seen="default", actor=alice)
    assert not Entry.objects.filter(action=Action.RAISED).exists()
    store.change(window, "24", scope="Global", seen="default", actor=alice)
    raised = Entry.objects.get(action=Action.RAISED)
    assert json.loads(raised.details)["effective hours"] == 25
    assert values.integer(days) == 1


def test_a_local_setting_belongs_to_one_server(alice: Actor, server: Server) -> None:  # SET-13, SET-14
    other = Server.objects.create(
        fqdn="ts2.example.com", sealing_public=server.sealing_public, created_at=server.created_at
    )
    store.add("HSMModulePath", "/m.so", scope="Local", value_type="Text", actor=alice)
    store.change("TLSMode", "0", scope="Global", seen="default", actor=alice)
    assert values.text("HSMModulePath", server=other) is None
    assert values.integer("TLSMode", server=other) == 0


def test_the_former_password_of_the_key_store_is_kept_for_the_job(alice: Actor, server: Server) -> None:  # SET-28
    name = "PKIDatabasePassword"
    row = store.add(name, "first", scope="Local", value_type="Protected", actor=alice)
    store.change(name, "second", scope="Local", seen=row.token, actor=alice)
    store.delete([f"Local:{name}"], actor=alice)
    assert [reveal(value).reveal_text() for value in values.former(name, server=server)] == ["second", "first"]
    assert Job.objects.filter(kind_name="keys.pki-password").count() == 3
    newest = values.former(name, server=server)[0]
    store.forget_former(name, kept=[newest.version])
    assert [reveal(value).reveal_text() for value in values.former(name, server=server)] == ["second"]
    store.forget_former(name)
    assert not FormerValue.objects.exists()


def test_a_pin_is_not_kept_when_it_is_replaced(alice: Actor) -> None:
    row = add_pin(alice)
    store.change(row.name, "other", scope="Local", seen=row.token, actor=alice)
    assert not FormerValue.objects.exists()


def test_several_are_saved_together_or_not_at_all(alice: Actor) -> None:
    names = ["Keys.Root.HSMTokenID", "Keys.Root.HSMTokenName"]
    with pytest.raises(InvalidError) as caught:
        store.save_local(dict(zip(names, ["7", "x" * 40], strict=True)), seen=store.seen_of(names), actor=alice)
    assert caught.value.field == "Keys.Root.HSMTokenName"
    assert not Setting.objects.exists()
    seen = store.seen_of(names)
    store.save_local(dict(zip(names, ["7", "alpha"], strict=True)), seen=seen, actor=alice)
    with pytest.raises(ChangedMeanwhileError):
        store.save_local(dict(zip(names, ["8", "beta"], strict=True)), seen=seen, actor=alice)
    store.save_local(dict(zip(names, ["", None], strict=True)), seen=store.seen_of(names), actor=alice)
    assert Setting.objects.get().name == "Keys.Root.HSMTokenName"


def test_a_public_half_that_is_not_this_servers_stores_nothing(alice: Actor, settings: object) -> None:
    from django.conf import settings as django_settings

    from console.lib.errors import UnavailableError
    from console.lib.sealingpair import SealingPair

    other = SealingPair.generate().public
    django_settings.SEALING_PUBLIC_FILE.write_text(other.raw.hex(), encoding="ascii")
    assert SealingPublic.load(django_settings.SEALING_PUBLIC_FILE).fingerprint == other.fingerprint
    with pytest.raises(UnavailableError, match="Nothing was stored"):
        add_pin(alice)
    assert not Setting.objects.exists()
