"""Advanced Settings in the browser, without its script."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from console.activity.models import Entry
from console.jobs.models import Job
from console.lib.actor import Actor
from console.servers.models import Server
from settings_store import store, values
from settings_store.models import Setting
from tests.fixtures import turns

pytestmark = pytest.mark.usefixtures("server")
LIST = reverse("settings_store:list")
ADD = reverse("settings_store:add")
DELETE = reverse("settings_store:delete")
PIN = "s3cret-PIN"


def url(key: str, view: str = "edit") -> str:
    return reverse(f"settings_store:{view}", args=[key])


def text(response: object) -> str:
    return unescape(response.content.decode())  # type: ignore[attr-defined]


def names(page: str) -> list[str]:
    return re.findall(r'<a class="mono" href="[^"]*">([^<]+)</a>', page)


def form(name: str, value: str, scope: str = "Local", value_type: str = "Text", **more: str) -> dict[str, str]:
    return {"name": name, "value": value, "scope": scope, "value_type": value_type, **more}


def add_pin(client: Client, pin: str = PIN) -> None:
    done = client.post(ADD, form("Keys.Root.HSMPassword", pin, value_type="Protected"))
    assert done.status_code == 302


def test_a_fresh_install_shows_the_pre_set_settings(admin_client: Client) -> None:  # NAV-01, SET-30 to SET-38
    page = text(admin_client.get(LIST))
    assert "<h1>Advanced Settings</h1>" in page
    assert "Add Setting" in page
    assert "Delete Selected Settings" in page
    assert len(names(page)) == 24
    assert "require_client_tls_315_flag" in page


def test_filter_items_looks_at_names(admin_client: Client, alice: Actor) -> None:  # SET-11, HSI-17
    for key in ("Root", "MessageSigning"):
        store.add(f"Keys.{key}.UseHSM", "0", scope="Local", value_type="Numeric", actor=alice)
    store.add("HSMModulePath", "/m.so", scope="Local", value_type="Text", actor=alice)
    shown = names(text(admin_client.get(LIST, {"q": "hsm"})))
    assert shown == ["HSMModulePath", "Keys.MessageSigning.UseHSM", "Keys.Root.UseHSM"]
    fragment = admin_client.get(LIST, {"q": "hsm"}, headers={"HX-Request": "true"})
    assert names(text(fragment)) == shown
    assert "<html" not in text(fragment)
    assert "Clear all filters" in text(admin_client.get(LIST, {"q": "nothing like it"}))


def test_add_setting_by_hand(admin_client: Client) -> None:  # SET-01 to SET-05, SET-48, walkthrough 3
    page = text(admin_client.get(ADD))
    for label in ("Setting Type", "Platform Setting Name", "Value Type", "Value", "Save", "Cancel"):
        assert label in page
    assert re.findall(r'<option value="(\w+)"', page)[:2] == ["Local", "Global"]
    done = admin_client.post(ADD, form("HSMModulePath", "/usr/lib/softhsm/libsofthsm2.so"))
    page = text(admin_client.get(done.headers["Location"]))
    assert "HSMModulePath is saved." in page
    assert "Check HSM integration" in page  # AMB-28
    assert "/usr/lib/softhsm/libsofthsm2.so" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (form("", "x"), "Enter the name"),
        (form("HSMModulePath", ""), "Enter a value"),
        (form("HSMModulePath", "libsofthsm2.so"), "full path"),
        (form("HSMModulePath", "/m.so", scope="Global"), "Choose Local"),
        (form("Some", "abc", value_type="Numeric"), "whole number"),
        (form("Keys.Root.UseHSM", "2", value_type="Numeric"), "Enter 0 or 1"),
        (form("x" * 57, "1"), "at most 56"),
        (form("Some", "x" * 9000), "8192"),
        (form("Some", "y" * 5000), "4096"),
        (form("Some", "nul\x00byte"), "Null characters|control character"),
        (form("Some", "1", scope="Both"), "is not one of the choices"),
    ],
)  # fmt: skip
def test_bad_input_is_said_beside_the_field(admin_client: Client, data: dict[str, str], said: str) -> None:
    response = admin_client.post(ADD, data)
    assert response.status_code == 422
    page = text(response)
    assert re.search(said, page)
    assert "<title>Error: Add Setting" in page
    assert not Setting.objects.exists()


def test_an_address_with_a_nul_is_of_no_setting(admin_client: Client, auditor_client: Client) -> None:
    assert admin_client.get(f"{LIST}?saved=Local:a%00b").status_code == 200
    assert admin_client.get(f"{LIST}Local:a%00b/").status_code == 404
    assert admin_client.post(f"{LIST}Local:a%00b/save/", {"value": "x", "seen": "default"}).status_code == 404
    assert admin_client.post(f"{LIST}delete/", {"id": "Local:a\0b", "bindings": "keep"}).status_code == 404
    assert auditor_client.post(f"{LIST}Local:a%00b/save/", {"value": "x"}).status_code == 403


def test_the_same_name_again_is_a_conflict(admin_client: Client) -> None:  # SET-03
    admin_client.post(ADD, form("HSMModulePath", "/m.so"))
    response = admin_client.post(ADD, form("HSMModulePath", "/n.so"))
    assert response.status_code == 409
    assert "exists already" in text(response)


def test_a_near_miss_is_asked_about(admin_client: Client) -> None:
    response = admin_client.post(ADD, form("HSMModulPath", "/m.so"))
    assert response.status_code == 422
    assert "Did you mean HSMModulePath?" in text(response)
    admin_client.post(ADD, form("HSMModulPath", "/m.so", keep_name="HSMModulPath"))
    assert Setting.objects.get().name == "HSMModulPath"
    assert "Unknown" in text(admin_client.get(LIST))


@pytest.mark.parametrize("data", [
    form("Keys.Root.HSMPassword", PIN, value_type="Text"),
    form("Keys.Root.HSMPassword", PIN, scope="Global", value_type="Protected"),
    form("Keys.Root.HSMPasword", PIN, value_type="Text"),
    form("Keys.Root.HSMPassword", PIN + "\n1", value_type="Protected"),
])  # fmt: skip
def test_a_pin_that_is_refused_is_not_sent_back(admin_client: Client, data: dict[str, str]) -> None:
    response = admin_client.post(ADD, data)
    assert response.status_code == 422
    assert PIN not in text(response)
    assert PIN not in "".join(Entry.objects.values_list("details", flat=True))


def test_a_protected_value_is_shown_nowhere(admin_client: Client) -> None:  # SET-07, SET-10
    add_pin(admin_client)
    pages = [LIST, f"{LIST}?saved=Local:Keys.Root.HSMPassword", url("Local:Keys.Root.HSMPassword"),
             f"{DELETE}?id=Local:Keys.Root.HSMPassword"]  # fmt: skip
    for page in (text(admin_client.get(address)) for address in pages):
        assert PIN not in page
        assert "(protected)" in page
    logged = "".join(f"{entry.details}{entry.subject_label}" for entry in Entry.objects.all())
    assert PIN not in logged
    assert PIN not in "".join(str(row) for row in Job.objects.values())


@pytest.mark.parametrize("typed", ["", "(protected)"])
def test_leaving_a_protected_field_keeps_the_value(admin_client: Client, typed: str) -> None:  # SET-08
    add_pin(admin_client)
    row = Setting.objects.get()
    assert admin_client.post(url("Local:" + row.name, "save"), {"seen": row.token, "value": typed}).status_code == 302
    assert Setting.objects.get().version == row.version


def test_a_value_is_changed_by_clicking_its_name(admin_client: Client) -> None:  # SET-06, ROT-08
    key = "Global:pki_client_tls_key_duration_days"
    page = text(admin_client.get(url(key)))
    assert 'value="7"' in page
    assert "reset" not in page.lower().split("<main")[1].split("about this setting")[0]
    done = admin_client.post(url(key, "save"), {"seen": "default", "value": "14"})
    assert done.status_code == 302
    assert values.integer("pki_client_tls_key_duration_days") == 14
    assert "Reset to default (7)" in text(admin_client.get(url(key)))
    admin_client.post(reverse("settings_store:reset"), {"id": key})
    assert values.integer("pki_client_tls_key_duration_days") == 7


def test_a_raised_validity_is_shown_in_grid_and_form(admin_client: Client) -> None:  # ROT-06, AMB-12
    key = "Global:pki_client_tls_key_duration_days"
    admin_client.post(url("Global:PKIClientTLSKeyRenewalWindowHours", "save"), {"seen": "default", "value": "200"})
    for page in (text(admin_client.get(LIST)), text(admin_client.get(url(key)))):
        assert "201 hours" in page
        assert "raised above the renewal window" in page


def test_a_slot_number_is_shown_both_ways(admin_client: Client) -> None:  # AMB-16
    admin_client.post(ADD, form("Keys.Root.HSMTokenID", "0x2A", value_type="Numeric"))
    page = text(admin_client.get(LIST))
    assert ">42<" in page
    assert "0x2a" in page


def test_two_administrators_see_each_others_value(admin_client: Client, bob: Actor) -> None:
    store.add("HSMModulePath", "/a.so", scope="Local", value_type="Text", actor=bob)
    seen = Setting.objects.get().token
    store.change("HSMModulePath", "/bobs.so", scope="Local", seen=seen, actor=bob)
    response = admin_client.post(url("Local:HSMModulePath", "save"), {"seen": seen, "value": "/mine.so"})
    page = text(response)
    assert response.status_code == 409
    assert "changed by bob" in page
    assert "/bobs.so" in page
    assert 'value="/mine.so"' in page
    again = re.search(r'name="seen" value="([^"]+)"', page)
    assert again is not None
    admin_client.post(url("Local:HSMModulePath", "save"), {"seen": again[1], "value": "/mine.so"})
    assert values.text("HSMModulePath") == "/mine.so"


@pytest.mark.django_db(transaction=True)
def test_the_first_value_of_two_in_the_same_instant_keeps_what_the_other_typed(
    admin_client: Client, bob: Actor
) -> None:
    save = url("Global:PKIClientTLSKeyRenewalWindowHours", "save")
    with turns.first(lambda: admin_client.post(save, {"seen": "default", "value": "201"})) as answers:
        store.change("PKIClientTLSKeyRenewalWindowHours", "200", scope="Global", seen="default", actor=bob)
    page = text(answers[0])
    assert answers[0].status_code == 409
    assert "changed by bob" in page
    assert 'value="201"' in page
    assert f'value="{Setting.objects.get().token}"' in page


def test_selected_settings_are_deleted_after_a_confirmation(admin_client: Client) -> None:  # SET-12, HSI-32
    admin_client.post(ADD, form("HSMModulePath", "/m.so"))
    add_pin(admin_client)
    admin_client.post(ADD, form("Other", "1", value_type="Numeric"))
    chosen = ["Local:HSMModulePath", "Local:Keys.Root.HSMPassword"]
    page = text(admin_client.get(DELETE, {"id": chosen}))
    assert "Delete 2 settings" in page
    assert Setting.objects.count() == 3
    admin_client.post(DELETE, {"id": chosen})
    assert [row.name for row in Setting.objects.all()] == ["Other"]


def test_nothing_selected_deletes_nothing(admin_client: Client) -> None:
    assert "Select at least one setting" in text(admin_client.get(DELETE, follow=True))


def test_pre_set_settings_are_offered_their_default_instead(admin_client: Client) -> None:  # AMB-11
    admin_client.post(ADD, form("Other", "1", value_type="Numeric"))
    page = text(admin_client.get(DELETE, {"id": ["Global:TLSMode", "Local:Other"]}))
    assert "1 of the selected settings cannot be deleted" in page
    assert "Reset to default" in page
    assert "Delete 1 setting" in page
    response = admin_client.post(DELETE, {"id": ["Global:TLSMode", "Local:Other"]})
    assert response.status_code == 403
    assert Setting.objects.count() == 1


def test_deleting_asks_for_a_recent_sign_in(admin: object, as_user: object) -> None:
    client = as_user(admin, recent=False)  # type: ignore[operator]
    answer = client.post(DELETE, {"id": ["Local:Other"]})
    assert answer.headers["Location"].startswith(reverse("account_reauthenticate"))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("Global:require_client_tls_315_flag", "0", "can connect without TLS"),  # TLS-15
        ("Global:require_client_tls_314_flag", "1", "Any Client 7.2 without TLS is refused"),  # TLS-17
        ("Global:ReportingTLSMode", "1", "Best practice is to work with 2 first"),  # TLS-28
        ("Global:TLSMode", "0", "within two to six hours"),  # SET-44
    ],
)
def test_tls_settings_warn_before_and_after(admin_client: Client, key: str, value: str, said: str) -> None:
    before = text(admin_client.get(url(key)))
    assert "network security team" in before  # TLS-20
    done = admin_client.post(url(key, "save"), {"seen": "default", "value": value})
    assert said in text(admin_client.get(done.headers["Location"]))


def test_hints_stand_beside_the_settings(admin_client: Client) -> None:
    assert "only while ReportingTLSMode is 2" in text(
        admin_client.get(url("Global:OptionalTLSMinAttemptCount"))
    )  # TLS-29
    assert "Leave it at 1" in text(admin_client.get(url("Global:require_client_tls_315_flag")))  # TLS-35
    page = text(admin_client.get(ADD, {"name": "PKIDatabasePassword"}))
    assert "Store this password in a safe place" in page  # SET-29


def test_the_password_of_the_key_store_is_added_in_five_steps(admin_client: Client, server: Server) -> None:  # SET-45
    done = admin_client.post(ADD, form("PKIDatabasePassword", "correct horse", value_type="Protected"))
    page = text(admin_client.get(done.headers["Location"]))
    assert "Store this password in a safe place" in page
    assert Job.objects.get().kind_name == "keys.pki-password"
    assert f"{server.fqdn}" in text(admin_client.get(url("Local:PKIDatabasePassword")))  # SET-27


def test_an_auditor_reads_and_changes_nothing(auditor_client: Client, alice: Actor) -> None:  # ROL-01
    store.add("HSMModulePath", "/m.so", scope="Local", value_type="Text", actor=alice)
    row = Setting.objects.get()
    page = text(auditor_client.get(LIST))
    assert "/m.so" in page
    assert "Delete Selected Settings" not in page
    assert "may read settings, not change them" in text(auditor_client.get(url("Local:HSMModulePath")))
    for address, data in [
        (ADD, form("Other", "1")),
        (url("Local:HSMModulePath", "save"), {"seen": row.token, "value": "/n.so"}),
        (DELETE, {"id": ["Local:HSMModulePath"]}),
        (reverse("settings_store:reset"), {"id": ["Global:TLSMode"]}),
    ]:
        assert auditor_client.post(address, data).status_code == 403
    assert values.text("HSMModulePath") == "/m.so"


def test_a_setting_that_is_not_there_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(url("Local:Nothing")).status_code == 404
    assert admin_client.get(url("nonsense")).status_code == 404
