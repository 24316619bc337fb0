"""Theme, health, help (TLS-04, TLS-05, MIS-01, MIS-02, MIS-05, DMN-33, MIS-07, MIS-08) and the support bundle."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.test import Client

from console import health, help_pages, pkilog, support
from console.activity.models import Entry
from console.celery import app
from console.jobs.models import Job, State
from console.lib import clock
from console.servers.current import sealing_public
from console.servers.models import Server
from settings_store.models import Scope, Setting, ValueType

RunJobs = Callable[..., list[Job]]


def test_the_theme_is_kept_in_a_cookie(client: Client, db: None) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/jobs/?tab=all"})
    assert answer.headers["Location"] == "/jobs/?tab=all"
    cookie = answer.cookies["theme"]
    assert (cookie.value, cookie["samesite"], cookie["httponly"]) == ("dark", "Lax", True)
    assert 'data-theme="dark"' in client.get("/account/login/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_theme_leads_nowhere_else(client: Client, db: None, target: str) -> None:
    answer = client.post("/theme/", {"theme": "pink", "next": target})
    assert answer.headers["Location"] == "/"
    assert "theme" not in answer.cookies


def test_live_needs_nothing(client: Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_all_parts_answer(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "broker", lambda: True)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok"}


def test_not_ready_names_the_part_and_nothing_else(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise DatabaseError("could not connect to 10.1.2.3 as keystead with password hunter2")

    monkeypatch.setitem(health.CHECKS, "broker", lambda: True)
    with monkeypatch.context() as away:
        away.setattr("console.health.connection.cursor", gone)
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "failed"
    assert "hunter2" not in answer.content.decode()
    assert "10.1" not in answer.content.decode()


def test_a_broker_that_is_away_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.broker()
    connect = app.connection_for_write
    monkeypatch.setattr(app, "connection_for_write", lambda **options: connect("redis://127.0.0.1:1/0", **options))
    assert not health.broker()


def test_missing_migrations_are_seen(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.migrations()
    monkeypatch.setattr("console.health.MigrationExecutor.migration_plan", lambda *_: ["one"])
    assert not health.migrations()


@pytest.mark.parametrize("page", help_pages.PAGES, ids=lambda page: page.slug)
def test_every_help_page_opens(user_client: Client, page: help_pages.HelpPage) -> None:
    answer = user_client.get(f"/help/{page.slug}/")
    assert answer.status_code == 200
    assert f"<h1>{page.title}</h1>" in answer.content.decode()
    assert page.title in user_client.get("/help/").content.decode()


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("hsm", "to speed up cryptographic operations, or to keep keys safe. Few have both reasons"),  # DMN-33
        ("pin", "pkcs11-tool -L --module /opt/nfast/toolkits/pkcs11/libcknfast.so"),  # GRP-08
        ("pin", "uninitialized</code>, <code>(empty)"),  # GRP-09
        ("pin", "--login --login-type so --init-pin"),  # GRP-11, ROL-08
        ("pin", "--login --change-pin"),  # GRP-11, ROL-08
        ("pin", "The user PIN does not open that door"),  # ROL-07
        ("gateway", "openssl req -x509 -newkey rsa:4096 -keyout key.pem -out cert.pem -days 365 -nodes"),  # DMN-08
        ("gateway", "openssl pkcs12 -export -out cert.p12 -inkey key.pem -in cert.pem"),  # DMN-09
        ("gateway", "/etc/keystead/pki/cert.p12"),  # DMN-10
        ("gateway", "/etc/default/keystead-hmg"),  # DMN-11
        ("gateway", "/opt/nfast/toolkits/pkcs11/libcknfast.so"),  # DMN-16
        ("gateway", "/usr/safenet/lunaclient/lib/libCryptoki2_64.so"),  # DMN-17
        ("gateway", "sudo systemctl enable keystead-hmg"),  # DMN-18
        ("gateway", "systemctl status keystead-hmg"),  # DMN-19
        ("gateway", "journalctl -u keystead-hmg"),  # DMN-20
    ],
)
def test_the_help_says_what_operators_look_for(user_client: Client, slug: str, said: str) -> None:
    assert said in " ".join(user_client.get(f"/help/{slug}/").content.decode().split())


def test_an_unknown_help_page_is_a_404(user_client: Client) -> None:
    assert user_client.get("/help/nothing/").status_code == 404


def test_the_tls_page_lists_all_twelve_connections(user_client: Client) -> None:
    text = " ".join(user_client.get("/help/tls/").content.decode().split())
    for number in range(1, 13):
        assert f'<td class="num">{number}</td>' in text
    assert text.count("<td>HTTPS</td>") == 5
    assert "not encrypted by default" in text
    assert "On an Appliance IPsec" in text
    assert "Only Client 7.4 or later" in text
    assert "Secured by the platform protocol" in text


SECRETS = ("T0pSecretPin!", "hunter2-password", "typed-as-text")


@pytest.fixture
def bundle(auditor_client: Client, server: Server, run_jobs: RunJobs) -> Job:
    now = clock.now()
    common = {"changed_at": now, "changed_by": "ann"}
    for name, secret in zip(("HSMPassword", "PKIDatabasePassword"), SECRETS, strict=False):
        row = Setting(scope=Scope.LOCAL, server=server, name=name, value_type=ValueType.PROTECTED, **common)
        row.sealed = sealing_public().seal(secret.encode(), purpose="setting", row_id=str(row.id))
        row.save()
    Setting.objects.create(scope=Scope.GLOBAL, name="MyPassword", value_type=ValueType.TEXT, value=SECRETS[2], **common)
    Setting.objects.create(scope=Scope.GLOBAL, name="HSMTokenName", value_type=ValueType.TEXT, value="=Root", **common)
    pkilog.write("login", component="hsm", subject="Root HSM")
    auditor_client.post("/support/")
    auditor_client.post("/support/")
    return run_jobs()[0]


def content(client: Client, job: Job) -> zipfile.ZipFile:
    answer = client.post(f"/support/{job.pk}/")
    assert answer.status_code == 200
    return zipfile.ZipFile(io.BytesIO(b"".join(answer)))


def test_the_bundle_holds_logs_settings_jobs_and_facts(bundle: Job, auditor_client: Client) -> None:
    assert bundle.state == State.SUCCEEDED, bundle.message
    found = content(auditor_client, bundle)
    assert found.namelist() == ["Logs/pki.log", "facts.json", "settings.csv", "jobs.csv", "activity.csv"]
    settings = found.read("settings.csv").decode()
    assert "HSMPassword,Protected,(protected)" in settings
    assert "MyPassword,Text,(protected)" in settings
    assert "'=Root" in settings
    assert "support.bundle" in found.read("jobs.csv").decode()
    assert json.loads(found.read("facts.json"))["packages"]["Django"]
    assert {"support.bundle-made", "support.bundle-downloaded"} <= set(Entry.objects.values_list("action", flat=True))
    assert "Download" in auditor_client.get("/support/").content.decode()


def test_no_secret_is_in_the_bundle(bundle: Job, auditor_client: Client) -> None:
    found = content(auditor_client, bundle)
    sealed = [bytes(row.sealed) for row in Setting.objects.filter(sealed__isnull=False) if row.sealed]
    for name in found.namelist():
        data = found.read(name)
        assert not any(secret.encode() in data for secret in SECRETS)
        assert not any(value in data or value.hex().encode() in data for value in sealed)
    assert support.SOUNDS_SECRET.search("AdminPIN")


def test_pressing_twice_makes_one_bundle(bundle: Job) -> None:
    assert Job.objects.filter(kind_name=support.BUNDLE.name).count() == 1


def test_only_readers_get_a_bundle(bundle: Job, user_client: Client, client: Client) -> None:
    assert user_client.post(f"/support/{bundle.pk}/").status_code == 403
    assert user_client.get("/support/").status_code == 403
    assert client.get("/support/").status_code == 302
