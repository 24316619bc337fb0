"""The walkthrough of groups: a gateway, its keys as virtual keys, and what happens when it is taken away.

Everything is real: `./run` with the gateway that it starts beside its demo token, a second gateway on the same token,
pkcs11-tool as the second opinion, and a browser.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import expect

from tests.bootstrap.conftest import Console
from tests.fixtures.gateway import Gateways, RunningGateway
from tests.fixtures.processes import wait_for
from tests.fixtures.softhsm import SoftHsm, Token
from tests.walkthrough.administrator import JOB_MS, Administrator

pytestmark = [pytest.mark.slow, pytest.mark.one_database]


@pytest.fixture
def second(fresh: Console, hsm: SoftHsm, tmp_path: Path) -> Iterator[RunningGateway]:
    """Start a gateway beside the one of `./run`, on the same token, with a certificate of the same kind."""
    with Gateways(tmp_path / "gateways") as gateways:
        yield gateways.start(hsm.module, hsm.tokens[0])


def _connection(fresh: Console) -> dict[str, Any]:
    """Return what `./run` says about its gateway."""
    found = json.loads((fresh.state.gateway / "connection.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_keys_of_an_hsm_behind_gateways(
    admin: Administrator, fresh: Console, hsm: SoftHsm, second: RunningGateway
) -> None:  # GRP-23 to GRP-27, GRP-35, GRP-36, SOB-11, DMN-21, STK-05
    demo, own = hsm.tokens[0], _connection(fresh)
    group = _add_group(admin, second, demo, Path(own["ca_file"]).read_text(encoding="ascii"))
    _add_connection(admin, group, own, demo.pin)
    expect(admin.page.locator(".prio")).to_have_text(["1", "2"])  # GRP-26
    _all_connected(admin, group)

    made = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "0a0b", "--label", "made elsewhere", "--usage-sign"]
    hsm.tool(*made, token=demo)
    _sync(admin, group, "1 new key from the HSM is added")
    _sync(admin, group, "0 new keys from the HSM are added")
    key = _generate(admin, "Payments")
    assert "Payments" in hsm.objects(demo)

    _sign(admin, key, hsm, by=f"{second.host}:{second.port}")
    second.kill()
    _sign(admin, key, hsm, by=f"{own['address']}:{own['port']}")  # GRP-27
    admin.go(f"{group}hsm/")
    expect(admin.page.locator("#connection-notes")).to_contain_text("is not connected", timeout=JOB_MS)
    second.start()
    _all_connected(admin, group)
    second.freeze()
    _sign(admin, key, hsm, by=f"{own['address']}:{own['port']}")
    second.thaw()

    _delete_under_each_policy(admin, hsm, group, key)
    _no_pin_outside_its_file(fresh, demo.pin)


def _add_group(admin: Administrator, gateway: RunningGateway, token: Token, other_ca: str) -> str:
    """Make the group, with a test that fails and one that does not, and return its address."""  # GRP-01 to GRP-22
    page = admin.page
    admin.walk("Groups")  # NAV-07
    page.get_by_role("link", name=re.compile("new group", re.IGNORECASE)).first.click()
    expect(page.locator("h1")).to_have_text("Add new group")
    page.get_by_label("Title").fill("Production")
    page.get_by_role("button", name="LINK HSM/EXTERNAL KMS").click()
    page.locator("[name=hsm_type]").select_option(label="SoftHSM2 (development)")
    expect(page.locator("[name=port]")).to_have_value("4442")
    page.locator("[name=address]").fill(gateway.host)
    page.locator("[name=port]").fill(str(gateway.port))
    page.locator("[name=slot]").fill(hex(token.slot_id))  # AMB-16
    page.locator("[name=pin]").fill(token.pin)
    page.get_by_role("button", name="TEST CONNECTION").click()
    note = page.locator(".note", has_text="Connected")
    expect(note).to_contain_text("Not Connected", timeout=JOB_MS)
    expect(note).to_contain_text("GATEWAY_TLS_UNTRUSTED")
    page.get_by_text("ADD CONFIGURATION").click()
    page.locator("[name=trust][value=custom]").check()
    page.locator("[name=ca_text]").fill(gateway.ca_pem + other_ca)
    page.get_by_role("button", name="TEST CONNECTION").click()
    expect(note).to_contain_text("answered in", timeout=JOB_MS)
    expect(note).not_to_contain_text("Not Connected")
    assert token.pin not in page.content()
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator("h1")).to_contain_text("Production")
    return re.sub(r"hsm/$", "", page.url.removeprefix(admin.address))


def _all_connected(admin: Administrator, group: str) -> None:
    """Open the HSM tab, which tests by itself, and wait for its news (GRP-31)."""
    admin.go(f"{group}hsm/")
    expect(admin.page.locator("[id^=status-] .state.ok")).to_have_count(2, timeout=JOB_MS)


def _delete_under_each_policy(admin: Administrator, hsm: SoftHsm, group: str, key: str) -> None:
    """Delete a key that stays in the HSM, then one that does not, and leave it at that."""
    demo = hsm.tokens[0]
    _delete(admin, key, "Payments")
    assert "Payments" in hsm.objects(demo)  # POL-05
    _apply_changes(admin, group)
    doomed = _generate(admin, "Doomed")
    assert "Doomed" in hsm.objects(demo)  # POL-10
    _delete(admin, doomed, "Doomed")
    admin.go(group)
    wait_for(lambda: "Doomed" not in hsm.objects(demo), 120, "the key to be gone from the token")  # POL-09
    _sync(admin, group, "0 new keys from the HSM are added")  # AMB-38: Payments stays deleted


def _add_connection(admin: Administrator, group: str, own: dict[str, Any], pin: str) -> None:
    """Add the gateway of `./run` behind the first one (GRP-23)."""
    page = admin.page
    admin.go(f"{group}hsm/")
    page.get_by_role("link", name="Add connection").click()
    page.locator("[name=address]").fill(own["address"])
    page.locator("[name=port]").fill(str(own["port"]))
    page.locator("[name=slot]").fill(own["slot"])
    page.locator("[name=pin]").fill(pin)
    page.get_by_role("button", name="SAVE").click()
    expect(page.locator("#connections tbody tr")).to_have_count(2)


def _sync(admin: Administrator, group: str, told: str) -> None:
    page = admin.page
    admin.go(f"{group}hsm/")
    page.locator("#sync-keys").click()
    expect(page.locator("section", has=page.locator("#sync-title"))).to_contain_text(told, timeout=JOB_MS)


def _generate(admin: Administrator, name: str) -> str:
    """Generate a key in the HSM group, and return the address of its page (SOB-13 to SOB-17)."""
    page = admin.page
    admin.go("/hsm/objects/new/")
    expect(page.locator("h1")).to_have_text("Add New Security Object")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("This is an HSM/external KMS object").check()
    expect(page.locator("[name=group] option", has_text="Production")).to_have_count(1)  # SOB-14
    page.locator("[name=group]").select_option(label="Production")
    page.locator("[name=key_type]").select_option("ec")
    expect(page.locator("[name=spec] option[value=ec-p256]")).to_have_count(1)  # SOB-16
    page.locator("[name=spec]").select_option("ec-p256")
    for box in page.locator("[name=operations]").all():
        box.set_checked(box.get_attribute("value") in ("sign", "verify"))
    page.get_by_role("button", name="GENERATE").click()
    expect(page.locator("h1")).to_contain_text(name)
    expect(page.locator("main")).to_contain_text("Manage this key", timeout=JOB_MS)
    return page.url.removeprefix(admin.address)


def _sign(admin: Administrator, key: str, hsm: SoftHsm, *, by: str) -> None:
    """Sign through the page, and verify the signature outside of the console."""
    page, text = admin.page, f"pay {by}"
    admin.go(key)
    page.get_by_role("link", name="Sign", exact=True).click()
    page.locator("[name=content]").fill(text)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("#result")).to_contain_text("Served by", timeout=JOB_MS)
    expect(page.locator("#result")).to_contain_text(by)
    signature = bytes.fromhex(page.get_by_role("region", name="Hex").inner_text())
    _public_key(hsm, "Payments").verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))


def _public_key(hsm: SoftHsm, label: str) -> ec.EllipticCurvePublicKey:
    """Read a public key from the token with pkcs11-tool."""
    command = ["pkcs11-tool", "--module", hsm.module, "--token-label", hsm.tokens[0].label]
    command += ["--read-object", "--type", "pubkey", "--label", label]
    done = subprocess.run(command, check=True, capture_output=True)
    key = serialization.load_der_public_key(done.stdout)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _delete(admin: Administrator, key: str, name: str) -> None:
    page = admin.page
    admin.go(key)
    page.get_by_role("link", name="DELETE SECURITY OBJECT").click()
    dialog = page.locator("dialog")
    dialog.locator("[name=typed]").fill(name)
    with page.expect_navigation():
        dialog.get_by_role("button", name=re.compile("Delete", re.IGNORECASE)).click()


def _apply_changes(admin: Administrator, group: str) -> None:
    """EDIT POLICY (POL-04)."""
    page = admin.page
    admin.go(group)
    page.get_by_role("link", name="EDIT POLICY").click()
    dialog = page.locator("dialog")
    dialog.locator("[name=choice][value=apply]").check()
    with page.expect_navigation():
        dialog.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Apply changes performed on virtual keys")


def _no_pin_outside_its_file(fresh: Console, pin: str) -> None:
    """See that the PIN stands in its own file, and nowhere else below the state folder (GRP-32)."""
    for path in fresh.state.root.rglob("*"):
        if path.is_file() and path.name != "softhsm-pin" and path.stat().st_size < 50_000_000:
            assert pin.encode() not in path.read_bytes(), path
