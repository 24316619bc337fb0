"""What an address is counted as."""

from serving.sites import site


def test_a_site_is_an_address_or_a_64_of_ipv6() -> None:
    assert site("192.0.2.7") == "192.0.2.7"
    assert site("2001:db8:1:2:3:4:5:6") == site("2001:db8:1:2::9") == "2001:db8:1:2::"
    assert site("2001:db8:1:3::9") != site("2001:db8:1:2::9")
    # A port of IPv6 that takes IPv4 as well names it so.
    assert site("::ffff:192.0.2.7") == "192.0.2.7"
    assert site("unix:" + "x" * 90) == "unix:" + "x" * 40
