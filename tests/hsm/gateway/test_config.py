"""Each wrong setting ends the start with a sentence on stderr and an exit status (DMN-02, 03, 04, 10 to 15)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from console.env import BASE_DIR
from hsm.gateway import config
from tests.fixtures.certificates import Authority
from tests.fixtures.gateway import Gateways
from tests.fixtures.processes import wait_for
from tests.hsm.device.conftest import folder
from tests.hsm.device.tokens import SOFTHSM, TokenFarm
from tests.hsm.gateway.asking import Client, health
from tests.hsm.gateway.conftest import Served, slot_of


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Return a configuration that is right, on a SoftHSM2 without tokens."""
    farm = TokenFarm(tmp_path)
    (tmp_path / "cert.p12").write_bytes(Authority("Gateways").issue("gateway", ["localhost"]).p12())
    return {
        **farm.environment,
        "CERT_FILE": str(tmp_path / "cert.p12"),
        "PKCS11_LIB_PATH": SOFTHSM,
        "HMG_LISTEN_ADDRESS": "127.0.0.1",
        "HMG_LISTEN_PORT": "0",
        "HMG_HEALTH_HTTPS_PORT": "0",
        "HMG_HEALTH_HTTP_PORT": "0",
        "HMG_STATE_DIR": str(tmp_path / "state"),
    }


READ = [
    ({"PKCS11_LIB_PATH": "/nowhere/lib.so"}, "there is no file /nowhere/lib.so"),
    ({"CERT_FILE": "/nowhere/cert.p12"}, "CERT_FILE: there is no file /nowhere/cert.p12"),
    ({"CERT_FILE": "cert.p12"}, "is not an absolute path"),
    ({"CA_FILE": "/nowhere/ca.pem"}, "CA_FILE: there is no file"),
    ({"HMG_LISTEN_PORT": "https"}, "HMG_LISTEN_PORT: https is not a port"),
    ({"HMG_LISTEN_PORT": "70000"}, "HMG_LISTEN_PORT: 70000 is not a port"),
    ({"HMG_LISTEN_PORT": "4443", "HMG_HEALTH_HTTP_PORT": "4443"}, "three different ports"),
    ({"HMG_LISTEN_ADDRESS": "hsm.example.com"}, "is not an IP address"),
    ({"HMG_SLOT": "one"}, "HMG_SLOT: one is not a slot number"),
    ({"HMG_SLOT": "0xzz"}, "HMG_SLOT: 0xzz is not a slot number in hex"),
    ({"HMG_SLOT": "1,2"}, "A list of slots goes into HMG_SLOTS"),
    ({"HMG_SLOT": "1", "HMG_SLOTS": "2"}, "both set"),
    ({"HMG_SLOTS": " ".join(map(str, range(9)))}, "HMG_SLOTS names 9 slots"),
    ({"HMG_LISTEN_PROT": "1"}, "HMG_LISTEN_PROT: no such setting"),
]
STARTED = [
    ({"PKCS11_LIB_PATH": ""}, "PKCS11_LIB_PATH is not set"),
    ({"PKCS11_LIB_PATH": "/etc/passwd"}, "PKCS11_LIB_PATH: Loading the PKCS#11 module failed."),
    ({"CERT_FILE": "/etc/passwd"}, "does not open without a password, or is no P12 file"),
    ({"CERT_PASSWORD_FILE": "/etc/hostname"}, "does not open with the password in CERT_PASSWORD_FILE"),
    ({"CA_FILE": "/etc/passwd"}, "CA_FILE: /etc/passwd is not a file of certificates in PEM"),
    ({"HMG_LISTEN_ADDRESS": "192.0.2.1"}, "this host has no such address"),
    ({"HMG_STATE_DIR": "/proc/nowhere"}, "HMG_STATE_DIR: /proc/nowhere cannot be made"),
]


@pytest.mark.parametrize(("wrong", "said"), READ)
def test_a_value_that_cannot_be_right_is_named(settings: dict[str, str], wrong: dict[str, str], said: str) -> None:
    with pytest.raises(config.ConfigError) as refused:
        config.read({**settings, **wrong})
    assert said in str(refused.value)


@pytest.mark.parametrize(("wrong", "said"), STARTED)
def test_a_wrong_value_ends_the_start(settings: dict[str, str], wrong: dict[str, str], said: str) -> None:
    status, text = _start({**settings, **wrong})
    assert said in text
    assert "Traceback" not in text
    assert status == (config.EX_CONFIG if "Loading" not in said else 69)


def test_a_port_that_is_taken(settings: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, text = _start({**settings, "HMG_LISTEN_PORT": str(taken.getsockname()[1])})
    assert (status, "another program listens there" in text) == (config.EX_CONFIG, True)


def test_a_p12_without_a_key_and_one_with_a_password(settings: dict[str, str], tmp_path: Path) -> None:
    issued = Authority("Gateways").issue("gateway", ["localhost"])
    (tmp_path / "cert.pem").write_text(issued.pem)
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-nokeys", "-in", "cert.pem", "-out", "cert.p12", "-passout", "pass:"],
        cwd=tmp_path,
        check=True,
    )
    status, text = _start(settings)
    assert (status, "holds no private key" in text) == (config.EX_CONFIG, True)
    (tmp_path / "cert.p12").write_bytes(issued.p12(b"a password"))
    (tmp_path / "password").write_text("a password\n")
    status, text = _start({**settings, "CERT_PASSWORD_FILE": str(tmp_path / "password"), "HMG_SLOT": "x"})
    assert "HMG_SLOT" in text  # and not the certificate


def test_a_slot_without_a_token_names_those_that_there_are(settings: dict[str, str], tmp_path: Path) -> None:
    with folder() as place:
        farm = TokenFarm(place)
        one, two = farm.make("one"), farm.make("two")
        status, text = _start({**settings, **farm.environment, "HMG_SLOT": "4711"})
        assert (status, f"{slot_of(one)} (one)" in text) == (config.EX_CONFIG, True)
        status, text = _start({**settings, **farm.environment})
        assert "HMG_SLOT is not set, and there are several tokens" in text
        assert f"{slot_of(two)} (two)" in text


def test_two_gateways_do_not_share_a_state_folder(fresh: Served) -> None:
    fresh.gateway.start()
    with Gateways(fresh.gateway.folder / "second") as gateways:
        second = gateways.prepare(
            SOFTHSM, environment=fresh.farm.environment, settings={"HMG_STATE_DIR": str(fresh.gateway.state_dir)}
        )
        with pytest.raises(AssertionError, match="another gateway uses"):
            second.start()


def test_a_token_that_comes_later_is_served_then(fresh: Served) -> None:
    """The HSM may be down when the gateway starts: it starts, and says that it is not healthy."""
    fresh.farm.remove(fresh.token)
    fresh.gateway.environment.pop("HMG_SLOTS")
    fresh.gateway.start()
    assert "shows no initialised token" in fresh.gateway.log
    assert health(fresh.gateway) == 500
    token = fresh.farm.make("later")
    wait_for(lambda: health(fresh.gateway) == 204, 60, "health after the token came")
    fresh.gateway.slot = slot_of(token)
    with Client(fresh.gateway, token.pin) as client:
        assert client.ask("token").body["token"]["label"] == "later"


def test_defaults_are_those_of_the_manual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DMN-04, DMN-10, DMN-22, DMN-23."""
    assert config.DEFAULT_CERT_FILE == "/etc/keystead/pki/cert.p12"
    monkeypatch.setattr(config, "DEFAULT_CERT_FILE", str(tmp_path / "cert.p12"))
    (tmp_path / "cert.p12").touch()
    found = config.read({"PKCS11_LIB_PATH": SOFTHSM, "HMG_SLOT": "0x2A"})
    assert found.cert_file == tmp_path / "cert.p12"
    assert (found.port, found.health_https_port, found.health_http_port) == (4442, 4440, 4441)
    assert found.slots == (42,)
    assert found.is_open
    assert str(found.state_dir) == "/var/lib/keystead-hmg"
    assert config.read({"PKCS11_LIB_PATH": SOFTHSM, "HMG_LISTEN_PORT": "5000"}).port == 5000


def _start(settings: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hsm.gateway"],
        env={**settings, "PATH": os.defpath},
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr
