"""Addresses, ports and slots as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.device.gatewayaddress import AddressError, parse_address, parse_port, parse_slot


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("HSM1.Example.com", "hsm1.example.com"),
        ("hsm1.example.com.", "hsm1.example.com"),
        ("localhost", "localhost"),
        ("hsm_1", "hsm_1"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_addresses(text: str, host: str) -> None:  # GRP-05
    assert parse_address(text) == host


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "Enter"),
        ("https://hsm1", "https"),
        ("HTTP://hsm1", "https"),
        ("hsm1/v1", "path"),
        ("hsm1?x", "path"),
        ("hsm1:4442", "port"),
        ("10.0.0.7:4442", "port"),
        ("me@hsm1", "user"),
        ("hsm 1", "blanks"),
        (" hsm1", "blanks"),
        ("hsm1\n", "blanks"),
        ("hsm1\x00", "blanks"),
        ("10.0.0", "IPv4"),
        ("10.0.0.256", "IPv4"),
        ("4442", "IPv4"),
        ("[10.0.0.7]", "neither"),
        ("-hsm", "neither"),
        ("hsm..example", "neither"),
        ("." * 3, "neither"),
        ("a" * 64, "neither"),
        (".".join(["a" * 60] * 5), "neither"),
        ("fe80::1::2", "IPv6"),
    ],
)
def test_no_addresses(text: str, word: str) -> None:  # GRP-05
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert word in str(caught.value)


@given(st.text(max_size=300))
def test_whatever_is_typed_becomes_a_host_or_an_error(text: str) -> None:
    try:
        host = parse_address(text)
    except AddressError:
        return
    assert host.isascii()
    assert not set(host) & set(" /?#@[]\\")
    assert parse_address(host) == host


@pytest.mark.parametrize("text", ["1", "4442", "65535", 4442])
def test_ports(text: str | int) -> None:  # GRP-06
    assert parse_port(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "65536", "70000", "0x10", "4442 ", "\uff14\uff14\uff14\uff12", "1e3", 0, -5]
)
def test_no_ports(text: str | int) -> None:  # GRP-06
    with pytest.raises(AddressError):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "slot"), [("0", 0), ("17", 17), ("0x1A", 26), ("0X1a", 26), (f"{2**63 - 1}", 2**63 - 1), (5, 5)]
)
def test_slots(text: str | int, slot: int) -> None:  # GRP-07, AMB-16
    assert parse_slot(text) == slot


@pytest.mark.parametrize("text", ["", "-1", "1A", "0x", "one", "1 ", "0xg", str(2**63), "0x1" + "0" * 16])
def test_no_slots(text: str) -> None:  # GRP-07
    with pytest.raises(AddressError):
        parse_slot(text)
