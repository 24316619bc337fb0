"""Where a connection comes from, as far as one can count it."""

import ipaddress

IPV6_SITE_BITS = 64  # RFC 4291 §2.5.4: below it a host takes any address it likes
LONGEST = 45


def site(address: str) -> str:
    """Return what an address is counted as: itself, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:LONGEST]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:  # RFC 4291 §2.5.5.2: by a port of IPv6 that takes both
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, IPV6_SITE_BITS), strict=False).network_address)
