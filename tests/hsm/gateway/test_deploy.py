"""The files for the gateway below deploy/ and its manual fit each other and the code (DMN-08 to DMN-20, 29 to 33)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from console.env import BASE_DIR
from hsm.device.gatewaywire import OPERATIONS, PREFIX, Request
from hsm.gateway import config
from hsm.gateway.config import ConfigError

DEPLOY, DOCS = BASE_DIR / "deploy", BASE_DIR / "docs"
SETTING = re.compile(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
VENDORS_OWN = {"SOFTHSM2_CONF"}


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "keystead-hmg.service").read_text()
    assert "ExecStart=/opt/keystead/.venv/bin/python -m hsm.gateway\n" in unit
    assert "EnvironmentFile=/etc/default/keystead-hmg\n" in unit
    (tmp_path / "keystead-hmg.service").write_text(unit.replace("/opt/keystead/.venv/bin/python", sys.executable))
    command = ["systemd-analyze", "verify", str(tmp_path / "keystead-hmg.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "keystead-hmg" in line]
    assert (done.returncode, complaints) == (0, [])


def test_the_sample_names_every_setting_and_no_other() -> None:
    named = dict.fromkeys(name for name, _ in SETTING.findall((DEPLOY / "keystead-hmg").read_text()))
    known = config.OWN_NAMES | {"CERT_FILE", "CERT_PASSWORD_FILE", "CA_FILE", "PKCS11_LIB_PATH"}
    assert set(named) - VENDORS_OWN == known
    manual = (DOCS / "gateway.md").read_text()
    assert [name for name in known if f"`{name}`" not in manual] == []


def test_the_sample_as_it_is_asks_for_the_vendors_library() -> None:
    active = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", (DEPLOY / "keystead-hmg").read_text(), re.MULTILINE))
    with pytest.raises(ConfigError, match=r"CERT_FILE|PKCS11_LIB_PATH"):  # this machine has neither
        config.read(active)


@pytest.mark.parametrize("vendor", config.WELL_KNOWN_MODULES)
def test_the_places_of_vendors_libraries(vendor: tuple[str, str]) -> None:
    """DMN-16, DMN-17, AMB-24: each path under its own vendor's name."""
    name, path = vendor
    for text in ((DEPLOY / "keystead-hmg").read_text(), (DOCS / "gateway.md").read_text()):
        (line,) = {line for line in text.splitlines() if path in line and (":" in line or "|" in line) and name in line}
        assert line.index(name) < line.index(path)


@pytest.mark.parametrize(
    "command",
    [
        "openssl req -x509 -newkey rsa:4096 -keyout key.pem -out cert.pem -days 365 -nodes",
        "openssl pkcs12 -export -out cert.p12 -inkey key.pem -in cert.pem",
        "sudo systemctl enable keystead-hmg",
        "sudo systemctl start keystead-hmg",
        "systemctl status keystead-hmg",
        "journalctl -u keystead-hmg",
    ],
)
def test_the_commands_of_the_manual(command: str) -> None:
    assert command in (DOCS / "gateway.md").read_text()
    assert command in (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize(
    "row",
    [
        "| nCipher nShield Edge | 12.40.2 | 2.33.60 |",
        "| nCipher nShield Connect | 12.40.2 | 2.38.7 |",
        "| Thales / SafeNet / Gemalto SafeNet Luna SA 7.2.0-220 (Luna K7) | 7.4.0 | 7.0.3 | 7.4 |",
        "| AWS Cloud HSM (Cavium) | 3.1.2-1 | 2.04 | 3.1.2-1 |",
    ],
)
def test_the_table_of_tested_hsms(row: str) -> None:
    assert row in (DOCS / "gateway.md").read_text()


def test_the_protocol_is_written_down() -> None:
    """AMB-23: each operation with its fields, and the version."""
    text = (DOCS / "gateway-protocol.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)$", text, re.MULTILINE))
    assert set(OPERATIONS) <= set(rows)
    common = set(Request.__struct_fields__)
    for name, (request, _) in OPERATIONS.items():
        told = rows[name]
        if "the same" in told:
            told += rows[list(rows)[list(rows).index(name) - 1]]
        assert [field for field in set(request.__struct_fields__) - common if f"`{field}`" not in told] == [], name
    assert [field for field in common if f"`{field}`" not in text] == []
    assert f"POST {PREFIX}<operation>" in text
