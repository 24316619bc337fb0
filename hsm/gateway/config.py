"""The configuration: variables of /etc/default/keystead-hmg, each checked at start.

Every wrong value ends the start with a sentence on stderr and exit status 78 (EX_CONFIG of sysexits.h).
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hsm.device.gatewaywire import DEFAULT_PORT, HEALTH_HTTP_PORT, HEALTH_HTTPS_PORT, MAX_SLOT

EX_CONFIG = 78
DEFAULT_CERT_FILE = "/etc/keystead/pki/cert.p12"
DEFAULT_STATE_DIR = "/var/lib/keystead-hmg"
MAX_FILE_BYTES = 1 << 20
MAX_SLOTS = 6  # each has a process with the module loaded, and `pool.MAX_SEATS` are kept
WELL_KNOWN_MODULES = (
    ("nCipher", "/opt/nfast/toolkits/pkcs11/libcknfast.so"),
    ("Luna", "/usr/safenet/lunaclient/lib/libCryptoki2_64.so"),
)
OWN_NAMES = frozenset(
    {
        "HMG_LISTEN_PORT",
        "HMG_LISTEN_ADDRESS",
        "HMG_HEALTH_HTTP_PORT",
        "HMG_HEALTH_HTTPS_PORT",
        "HMG_SLOT",
        "HMG_SLOTS",
        "HMG_STATE_DIR",
    }
)


class ConfigError(Exception):
    """A value is wrong; the message names it and says what to do."""


@dataclass(frozen=True)
class Config:
    """What the daemon was told. Port 0 means any free one; no slots mean the only initialised token."""

    cert_file: Path
    cert_password: bytes
    ca_file: Path | None
    module: str
    slots: tuple[int, ...]
    address: str
    port: int
    health_https_port: int
    health_http_port: int
    state_dir: Path

    @property
    def is_open(self) -> bool:
        """Whether anybody who knows a PIN may come in."""
        return self.ca_file is None


def read(environ: Mapping[str, str]) -> Config:
    """Return the configuration. Raises ConfigError. Looks at files, but opens neither certificate nor module."""
    _refuse_unknown(environ)
    config = Config(
        cert_file=_file(environ, "CERT_FILE", DEFAULT_CERT_FILE, "the P12 file with the gateway's key and certificate"),
        cert_password=_password(environ),
        ca_file=_file(environ, "CA_FILE", "", "the PEM file of the CA that signs client certificates")
        if environ.get("CA_FILE", "").strip()
        else None,
        module=_module(environ),
        slots=_slots(environ),
        address=_address(environ),
        port=_port(environ, "HMG_LISTEN_PORT", DEFAULT_PORT),
        health_https_port=_port(environ, "HMG_HEALTH_HTTPS_PORT", HEALTH_HTTPS_PORT),
        health_http_port=_port(environ, "HMG_HEALTH_HTTP_PORT", HEALTH_HTTP_PORT),
        state_dir=_state_dir(environ),
    )
    ports = [port for port in (config.port, config.health_https_port, config.health_http_port) if port]
    if len(set(ports)) < len(ports):
        raise ConfigError(
            f"HMG_LISTEN_PORT ({config.port}), HMG_HEALTH_HTTPS_PORT ({config.health_https_port}) and "
            f"HMG_HEALTH_HTTP_PORT ({config.health_http_port}) have to be three different ports."
        )
    return config


def bound_file(path: Path, name: str) -> bytes:
    """Return what a file holds, at most MAX_FILE_BYTES. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{name}: {path} is larger than 1 MiB, so it is not what it should be.")
    return content


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    unknown = sorted(name for name in environ if name.startswith("HMG_") and name not in OWN_NAMES)
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: no such setting. There are {', '.join(sorted(OWN_NAMES))}.")


def _file(environ: Mapping[str, str], name: str, default: str, what: str) -> Path:
    path = Path(environ.get(name, "").strip() or default)
    if not path.is_absolute():
        raise ConfigError(f"{name}: {path} is not an absolute path.")
    if not path.is_file():
        raise ConfigError(f"{name}: there is no file {path}. It should be {what}.")
    return path


def _password(environ: Mapping[str, str]) -> bytes:
    """Return the P12's password from the first line of CERT_PASSWORD_FILE; empty when there is none."""
    if not environ.get("CERT_PASSWORD_FILE", "").strip():
        return b""
    path = _file(environ, "CERT_PASSWORD_FILE", "", "the file with the password of the P12 file")
    return bound_file(path, "CERT_PASSWORD_FILE").partition(b"\n")[0].rstrip(b"\r")


def _module(environ: Mapping[str, str]) -> str:
    path = environ.get("PKCS11_LIB_PATH", "").strip()
    if not path:
        known = "; ".join(f"{vendor}: {place}" for vendor, place in WELL_KNOWN_MODULES)
        raise ConfigError(f"PKCS11_LIB_PATH is not set. It is the path of the HSM's PKCS#11 library ({known}).")
    return str(_file(environ, "PKCS11_LIB_PATH", "", "the PKCS#11 library of the HSM's vendor"))


def _slots(environ: Mapping[str, str]) -> tuple[int, ...]:
    one, several = environ.get("HMG_SLOT", "").strip(), environ.get("HMG_SLOTS", "").strip()
    if one and several:
        raise ConfigError("HMG_SLOT and HMG_SLOTS are both set; one of them is enough.")
    slots = tuple(_slot(word, several) for word in (one or several).replace(",", " ").split())
    if len(slots) > MAX_SLOTS:
        raise ConfigError(f"HMG_SLOTS names {len(slots)} slots. A gateway serves {MAX_SLOTS} at most; start another.")
    if one and len(slots) > 1:
        raise ConfigError(f"HMG_SLOT: {one} is more than one slot. A list of slots goes into HMG_SLOTS.")
    return tuple(dict.fromkeys(slots))


def _slot(word: str, several: str) -> int:
    name = "HMG_SLOTS" if several else "HMG_SLOT"
    digits = word.lower().removeprefix("0x")
    is_hex = digits != word.lower()
    if not digits.isascii() or not (digits.isalnum() if is_hex else digits.isdecimal()):
        raise ConfigError(f"{name}: {word} is not a slot number, decimal or in hex with 0x before it.")
    try:
        slot = int(digits, 16 if is_hex else 10)
    except ValueError as error:
        raise ConfigError(f"{name}: {word} is not a slot number in hex.") from error
    if slot > MAX_SLOT:
        raise ConfigError(f"{name}: {word} is too large for a slot number.")
    return slot


def _address(environ: Mapping[str, str]) -> str:
    text = environ.get("HMG_LISTEN_ADDRESS", "").strip()
    if not text:
        return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - it is there to be reached
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise ConfigError(f"HMG_LISTEN_ADDRESS: {text} is not an IP address of this host.") from error


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{name}: {text} is not a port, a number from 1 to 65535 (or 0 for any free one).")
    return int(text)


def _state_dir(environ: Mapping[str, str]) -> Path:
    text = environ.get("HMG_STATE_DIR", "").strip() or environ.get("STATE_DIRECTORY", "").partition(":")[0]
    path = Path(text or DEFAULT_STATE_DIR)
    if not path.is_absolute():
        raise ConfigError(f"HMG_STATE_DIR: {path} is not an absolute path.")
    return path
