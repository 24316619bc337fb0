"""Whose certificate it is, and whose the console shows (GRP-13, GRP-14, GRP-18, GRP-49)."""

import secrets
import ssl
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from hsm.device.base import KeySpec, Pin
from hsm.device.errors import DeviceError
from tests.fixtures.certificates import Authority, Issued, self_signed
from tests.hsm.device.fakepeer import fake_peer
from tests.hsm.device.peercalls import SIGNS, check_refused, device_of, good

pytestmark = pytest.mark.usefixtures("no_links")
DAY = timedelta(days=1)


def encrypted() -> tuple[str, str]:
    """Return a client certificate whose key needs a passphrase: nobody is asked for it at a terminal."""
    mine = Authority("x").issue("console")
    kept = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)
    return mine.pem, mine.key.private_bytes(*form).decode()


ENCRYPTED = encrypted()


@pytest.mark.parametrize(
    ("host", "common_name", "san", "code"),
    [
        ("127.0.0.1", "gateway", ("127.0.0.1",), ""),
        ("127.0.0.1", "127.0.0.1", (), ""),
        ("127.0.0.1", "gateway", ("localhost",), "GATEWAY_TLS_NAME"),
        ("127.0.0.1", "127.0.0.1", ("10.0.0.1",), "GATEWAY_TLS_NAME"),
        ("127.0.0.1", "10.0.0.1", (), "GATEWAY_TLS_NAME"),
        ("localhost", "gateway", ("localhost",), ""),
        ("localhost", "localhost", (), ""),
        ("localhost", "localhost", ("other.example",), "GATEWAY_TLS_NAME"),
        ("localhost", "other.example", (), "GATEWAY_TLS_NAME"),
        ("localhost", "gateway", ("127.0.0.1",), "GATEWAY_TLS_NAME"),
    ],
)
def test_validate_host(
    authority: Authority, host: str, common_name: str, san: tuple[str, ...], code: str
) -> None:  # GRP-18
    with fake_peer(good, authority.issue(common_name, san)) as peer:
        device = device_of(peer, authority, host=host)
        if not code:
            assert device.token().label == "hsm"
            return
        with pytest.raises(DeviceError) as caught:
            device.token()
        assert caught.value.code == code
        assert not peer.requests  # the PIN was not sent
        assert device_of(peer, authority, host=host, validate_host=False).token().label == "hsm"


def test_ipv6(authority: Authority) -> None:  # GRP-05
    with fake_peer(good, authority.issue("gateway", ["::1"]), host="::1") as peer:
        assert device_of(peer, authority, host="::1").token().label == "hsm"
        assert device_of(peer, authority, host="[::1]").token().label == "hsm"


def test_an_expired_certificate(authority: Authority) -> None:
    with fake_peer(good, authority.issue("gateway", ["127.0.0.1"], begins=-2 * DAY, lasts=-DAY)) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS_EXPIRED", peer)


def test_another_ca_is_not_trusted(leaf: Issued) -> None:  # GRP-14
    with fake_peer(good, leaf) as peer:
        check_refused(device_of(peer, Authority("Another CA")), "GATEWAY_TLS_UNTRUSTED", peer)


def test_without_a_custom_ca_the_system_decides(authority: Authority, leaf: Issued) -> None:  # GRP-13
    with fake_peer(good, leaf) as peer:
        check_refused(device_of(peer, authority, ca_pem=None), "GATEWAY_TLS_UNTRUSTED", peer)


def test_a_self_signed_certificate_needs_itself_as_custom_ca(authority: Authority) -> None:  # AMB-37
    own = self_signed("gateway", ["127.0.0.1"])
    with fake_peer(good, own) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS_UNTRUSTED", peer)
        assert device_of(peer, own).token().label == "hsm"


def test_a_leaf_may_be_trusted_by_itself(leaf: Issued) -> None:
    with fake_peer(good, leaf) as peer:
        assert device_of(peer, leaf).token().label == "hsm"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_certificate(authority: Authority, leaf: Issued, version: ssl.TLSVersion) -> None:  # GRP-17, GRP-49
    client, foreign = authority.issue("console"), Authority("Another CA").issue("console")
    with fake_peer(good, leaf, client_ca=authority, version=version) as peer:
        for mine in (None, foreign):
            check_refused(device_of(peer, authority, **as_client(mine)), "GATEWAY_CLIENT_CERT", peer)
        with pytest.raises(DeviceError) as caught:
            device_of(peer, authority).generate(secrets.token_bytes(16), KeySpec.EC_P256, "k", SIGNS)
        assert (caught.value.code, caught.value.outcome_unknown) == ("GATEWAY_CLIENT_CERT", False)
        assert device_of(peer, authority, **as_client(client)).token().label == "hsm"


def test_an_expired_client_certificate(authority: Authority, leaf: Issued) -> None:
    client = authority.issue("console", begins=-2 * DAY, lasts=-DAY)
    with fake_peer(good, leaf, client_ca=authority) as peer:
        check_refused(device_of(peer, authority, **as_client(client)), "GATEWAY_CLIENT_CERT", peer)


def as_client(mine: Issued | None) -> dict[str, Any]:
    return {} if mine is None else {"client_cert_pem": mine.pem, "client_key": Pin(mine.key_pem)}


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256"])
def test_other_suites_are_refused(authority: Authority, leaf: Issued, suite: str) -> None:  # TLS-12
    with fake_peer(good, leaf, version=ssl.TLSVersion.TLSv1_2, suites=suite) as peer:
        check_refused(device_of(peer, authority), "GATEWAY_TLS", peer)


@pytest.mark.parametrize(
    "changes",
    [
        {"ca_pem": "no PEM"},
        {"ca_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"client_cert_pem": "no PEM", "client_key": Pin("no PEM")},
        {"client_key": Pin("alone")},
        {"client_cert_pem": ENCRYPTED[0], "client_key": Pin(ENCRYPTED[1])},
        {"host": "https://127.0.0.1"},
        {"host": "127.0.0.1/v1"},
        {"host": "a b"},
        {"host": ""},
        {"port": 0},
        {"port": 65536},
    ],
    ids=" ".join,
)
def test_what_cannot_be_an_address_or_a_certificate(
    authority: Authority, leaf: Issued, changes: dict[str, Any]
) -> None:
    with fake_peer(good, leaf) as peer:
        code = "GATEWAY_ADDRESS" if {"host", "port"} & set(changes) else "GATEWAY_TLS_SETTINGS"
        check_refused(device_of(peer, authority, **changes), code, peer)
        assert peer.connections == 0


def test_a_key_of_another_certificate(authority: Authority, leaf: Issued) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    with fake_peer(good, leaf) as peer:
        device = device_of(peer, authority, client_cert_pem=one.pem, client_key=Pin(other.key_pem))
        check_refused(device, "GATEWAY_TLS_SETTINGS", peer)
