"""The guided page HSM integration, without its script: nine steps over a real token (walkthrough 3, 7, 10)."""

import re
import uuid
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.jobs.models import Job
from console.servers.models import Server
from hsm.models.tokens import SeenToken, TokenBinding
from keys import roots
from keys.integration import Integration
from keys.models.root import Root
from settings_store import values
from tests.fixtures.softhsm import SoftHsm, Token

RunJobs = Callable[..., list[Job]]
pytestmark = pytest.mark.usefixtures("server")
HOME = reverse("keys:integration")


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return softhsm.token("alpha", pin="1234")


def at(slug: str) -> str:
    return reverse("keys:integration-step", args=[slug])


def text(response: object) -> str:
    return unescape(response.content.decode())  # type: ignore[attr-defined]


def save(client: Client, slug: str, **data: str) -> object:
    """Send the form of a step as the page shows it."""
    seen = re.search(r'name="seen" value="([^"]*)"', text(client.get(at(slug))))
    assert seen is not None
    return client.post(reverse("keys:integration-save", args=[slug]), {"seen": seen[1], **data})


def location(response: object) -> str:
    assert response.status_code == 302, text(response)  # type: ignore[attr-defined]
    return str(response.headers["Location"])  # type: ignore[attr-defined]


def lights() -> dict[str, str]:
    return {step.slug: step.light for step in Integration().steps}


def walk(client: Client, token: Token, run_jobs: RunJobs) -> None:
    """Do steps 2 to 5."""
    save(client, "module", path=token.module)
    client.post(reverse("hsm:tokens"), {"step": "module"})
    run_jobs()
    save(client, "use", Root="1", MessageSigning="0")
    save(client, "pin", Root=token.pin, MessageSigning="")
    choice = f"{token.slot_id}:{token.label}"
    save(client, "token", **{"Root-choice": choice, "MessageSigning-choice": ""})


def test_it_begins_with_what_to_prepare(admin_client: Client) -> None:  # HSI-10 to HSI-15
    page = text(admin_client.get(HOME))
    for said in (
        "Set up the HSM",
        "PKCS#11 module",
        "security officer",
        "Keys on the HSM are not in it",
        "No maintenance window",
        "A token is a logical view",  # HSI-13
        "Any HSM with the standard PKCS#11 interface",  # HSI-01
        "Smart cards, PCI cards, USB tokens and boxes over TCP/IP, USB or RS-232",  # MIS-07
        "tamper-resistant",  # MIS-08
        "A hosted console cannot use an HSM",  # HSI-08
        "For an appliance, ask support",  # HSI-09
    ):
        assert said in page
    assert [step.number for step in Integration().steps] == list(range(1, 10))  # HSI-16


def test_nothing_is_red_before_anything_is_asked_for() -> None:
    assert "bad" not in lights().values()


def test_the_nine_steps_lead_to_a_green_check(  # HSI-16 to HSI-18, SET-48
    admin_client: Client, token: Token, softhsm: SoftHsm, run_jobs: RunJobs
) -> None:
    softhsm.token("beta")
    walk(admin_client, token, run_jobs)
    assert values.text("HSMModulePath") == token.module
    assert values.flag("Keys.Root.UseHSM")
    assert values.text("Keys.MessageSigning.UseHSM") is None
    assert values.text("Keys.Root.HSMTokenName") == "alpha"
    assert values.text("Keys.Root.HSMTokenID") is None
    page = text(admin_client.get(at("review")))
    assert "(protected)" in page
    assert token.pin not in page.split("<main")[1].replace(str(token.slot_id), "")
    admin_client.post(reverse("hsm:check"))
    run_jobs()
    assert "are in order" in text(admin_client.get(reverse("hsm:checked")))
    now = lights()
    assert now["check"] == "ok"
    assert now["review"] == "ok"


def test_the_tokens_a_module_really_has_are_offered(
    admin_client: Client, token: Token, softhsm: SoftHsm, run_jobs: RunJobs
) -> None:
    beta = softhsm.token("beta")
    save(admin_client, "module", path=token.module)
    admin_client.post(reverse("hsm:tokens"), {"step": "token"})
    run_jobs()
    page = text(admin_client.get(at("token")))
    for one in (token, beta):
        assert f'value="{one.slot_id}:{one.label}"' in page
        assert hex(one.slot_id) in page
    assert "not initialised" in page


def test_two_tokens_of_one_name_are_chosen_by_name_and_id(
    admin_client: Client, token: Token, softhsm: SoftHsm, run_jobs: RunJobs
) -> None:
    twin = softhsm.token("alpha", pin="5678")
    walk(admin_client, twin, run_jobs)
    assert values.text("Keys.Root.HSMTokenName") == "alpha"
    assert values.optional_integer("Keys.Root.HSMTokenID") == twin.slot_id


def test_a_token_is_changed_without_a_word_about_the_old_name(
    admin_client: Client, token: Token, softhsm: SoftHsm, run_jobs: RunJobs
) -> None:
    beta = softhsm.token("beta")
    walk(admin_client, token, run_jobs)
    by_hand = {"Root-choice": "other", "Root-name": "beta", "Root-id": str(beta.slot_id), "MessageSigning-choice": ""}
    location(save(admin_client, "token", **by_hand))
    assert values.text("Keys.Root.HSMTokenName") == "beta"
    wrong = by_hand | {"Root-name": "alpha"}
    page = text(save(admin_client, "token", **wrong))
    assert "Both must be the same token" in page  # AMB-13
    assert values.text("Keys.Root.HSMTokenName") == "beta"


@pytest.mark.parametrize(
    ("slug", "data", "said"),
    [
        ("module", {"path": "libsofthsm2.so"}, "full path"),
        ("module", {"path": "x" * 2000}, "At most 1024 bytes"),
        ("use", {"Root": "2", "MessageSigning": "0"}, "is not one of the choices"),
        ("pin", {"Root": "(protected)", "MessageSigning": ""}, "stands for a value"),
        ("pin", {"Root": "", "MessageSigning": "9" * 256}, "At most 255 bytes"),
        ("token", {"Root-choice": "other", "Root-name": "n" * 33}, "At most 32 bytes"),
        ("token", {"Root-choice": "other", "Root-id": "seven"}, "whole number"),
        ("token", {"Root-choice": "7:forged"}, "is not one of the choices"),
    ],
)
def test_bad_input_is_said_beside_its_field(admin_client: Client, slug: str, data: dict[str, str], said: str) -> None:
    response = save(admin_client, slug, **data)
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert said in text(response)
    assert "9" * 256 not in text(response)


def test_two_administrators_do_not_overwrite_each_other(admin_client: Client, token: Token) -> None:
    page = text(admin_client.get(at("module")))
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen is not None
    save(admin_client, "module", path="/bobs.so")
    url = reverse("keys:integration-save", args=["module"])
    response = admin_client.post(url, {"seen": seen[1], "path": token.module})
    assert response.status_code == 409
    page = text(response)
    assert "Stored is now: HSMModulePath /bobs.so." in page
    assert values.text("HSMModulePath") == "/bobs.so"
    # What was typed is still there, and saved by a second click.
    assert f'value="{token.module}"' in page
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen is not None
    assert admin_client.post(url, {"seen": seen[1], "path": token.module}).status_code == 302


def test_a_pin_field_left_empty_keeps_the_pin(admin_client: Client, token: Token, run_jobs: RunJobs) -> None:
    walk(admin_client, token, run_jobs)
    before = values.sealed("Keys.Root.HSMPassword")
    page = text(admin_client.get(at("pin")))
    assert "security officer (SO)" in page  # ROL-07, ROL-08
    assert "--init-pin" in page
    assert "--change-pin" in page
    location(save(admin_client, "pin", Root="", MessageSigning=""))
    assert values.sealed("Keys.Root.HSMPassword") == before


def test_disabling_keeps_everything_but_use_hsm(
    admin_client: Client, token: Token, run_jobs: RunJobs
) -> None:  # HSI-30
    walk(admin_client, token, run_jobs)
    page = text(admin_client.get(reverse("keys:integration-leave")))
    assert "new HSM appliance" in page  # HSI-47
    assert "When no HSM is wanted at all" in page
    admin_client.post(reverse("keys:integration-disable"))
    assert not values.flag("Keys.Root.UseHSM")
    assert values.text("HSMModulePath") == token.module
    assert values.text("Keys.Root.HSMTokenName") == "alpha"


def test_a_check_before_the_last_change_is_called_old(admin_client: Client, token: Token, run_jobs: RunJobs) -> None:
    walk(admin_client, token, run_jobs)
    admin_client.post(reverse("hsm:check"))
    run_jobs()
    save(admin_client, "pin", Root="1234", MessageSigning="")
    assert lights()["check"] == "warn"


def test_troubleshooting_leads_through_logs_and_back_to_verify(
    admin_client: Client,
) -> None:  # HSI-29, HSI-42 to HSI-46
    page = text(admin_client.get(reverse("keys:integration-troubleshooting")))
    assert "Logs/pki.log" in page
    assert reverse("pkilog:view") in page
    assert "Logs/pki-tls.log" in page  # of a client
    assert reverse("trust:clients") in page
    assert "the fingerprint of each root that it holds" in " ".join(page.split())
    assert "Reset public key" in page
    assert reverse("keys:integration-verify") in page


def test_verify_runs_as_a_job_and_shows_each_line(admin_client: Client, run_jobs: RunJobs) -> None:  # walkthrough 10
    location(admin_client.post(reverse("keys:integration-verify")))
    admin_client.post(reverse("keys:integration-verify"))
    ran = run_jobs()
    assert [job.kind_name for job in ran].count("keys.verify") == 1
    page = text(admin_client.get(at("verify")))
    assert "Clients connected" in page
    assert "There is no root key that clients could trust." in page
    assert "A question answered" in page


def test_an_auditor_reads_and_changes_nothing(auditor_client: Client, token: Token) -> None:  # ROL-01
    for slug in ("module", "use", "pin", "token", "review", "check", "rotate", "verify"):
        page = auditor_client.get(at(slug))
        assert page.status_code == 200
        assert "Save and go on" not in text(page)
    for name, args in [("keys:integration-save", ["module"]), ("hsm:check", []), ("hsm:tokens", []),
                       ("keys:integration-disable", []), ("keys:integration-verify", [])]:  # fmt: skip
        assert auditor_client.post(reverse(name, args=args), {"path": token.module}).status_code == 403
    assert not SeenToken.objects.exists()
    assert values.text("HSMModulePath") is None


def test_deleting_hsm_settings_names_live_keys_and_keeps_or_forgets_them(  # walkthrough 7
    admin_client: Client, admin: User, token: Token, run_jobs: RunJobs
) -> None:
    walk(admin_client, token, run_jobs)
    roots.request(actor=admin.actor, form_token=uuid.uuid4())
    run_jobs()
    root = Root.objects.get()
    assert root.binding is not None
    delete = reverse("settings_store:delete")
    chosen = ["Local:HSMModulePath", "Local:Keys.Root.HSMPassword"]
    page = text(admin_client.get(delete, {"id": chosen}))
    assert "1 key still lives on a token" in page
    assert root.name in page
    response = admin_client.post(delete, {"id": chosen, "bindings": "forget", "typed": "forget it"})
    assert response.status_code == 422
    assert "Type Forget, or choose Keep" in text(response)
    assert values.text("HSMModulePath") == token.module
    admin_client.post(delete, {"id": chosen[:1], "bindings": "keep"})
    root.binding.refresh_from_db()
    assert root.binding.sealed_pin
    admin_client.post(delete, {"id": chosen[1:], "bindings": "forget", "typed": "Forget"})
    assert TokenBinding.objects.get().sealed_pin is None
    assert "Forgotten" in text(admin_client.get(reverse("hsm:binding", args=[root.binding.pk])))


def test_the_step_rotate_says_where_the_keys_are(
    admin_client: Client, admin: User, token: Token, run_jobs: RunJobs
) -> None:
    assert lights()["rotate"] == "warn"
    roots.request(actor=admin.actor, form_token=uuid.uuid4())
    run_jobs()
    assert lights()["rotate"] == "ok"
    walk(admin_client, token, run_jobs)
    page = text(admin_client.get(at("rotate")))
    assert "Made before the present settings: the root key is in pki.db" in page
    assert "one week later" in page  # HSI-24, HSI-25
    assert "more processing and network traffic" in page


def test_each_server_of_a_pair_is_shown(admin_client: Client, server: Server) -> None:  # HSI-33, AMB-09
    assert "On each server" not in text(admin_client.get(HOME))
    other = Server.objects.create(fqdn="ts2.example.com", sealing_public="00", created_at=server.created_at)
    save(admin_client, "use", Root="1", MessageSigning="0")
    page = text(admin_client.get(HOME))
    assert "On each server" in page
    assert other.fqdn in page
    assert not any(key.used for key in Integration(other).keys)


def test_listing_without_a_module_is_refused(admin_client: Client) -> None:
    response = admin_client.post(reverse("hsm:tokens"))
    assert response.status_code == 403
    assert "HSMModulePath is not set" in text(response)


def test_an_unknown_step_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(at("nothing")).status_code == 404
