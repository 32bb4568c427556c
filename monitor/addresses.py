"""Which addresses are public, however they are written.

The rule: unwrap addresses that carry another (IPv4-mapped, 6to4, Teredo, NAT64 of the well-known prefix), then require that what
is left is global unicast. NAT64 of the local-use prefix is refused whole: where in it an address stands is each network's own
choice, and so is what it reaches.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Global by some version's table of the standard library, yet never a place to send an alert: shared, local-use and
# protocol-assignment ranges, relays, documentation.
_REFUSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "100.64.0.0/10",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
    )
)


def is_public(address: str) -> bool:
    """Whether an IP literal (a zone index is ignored) is a public unicast address. Raises ValueError where it is not an IP."""
    ip = _unwrap(ipaddress.ip_address(address.split("%", maxsplit=1)[0]))
    if any(ip in net for net in _REFUSED if net.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _unwrap(ip: Address) -> Address:
    for _ in range(4):  # an address can carry one that carries one; four deep is beyond any real use
        if not isinstance(ip, ipaddress.IPv6Address):
            return ip
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None and int(ip) >> 32 == 0 and int(ip) > 1:  # the deprecated IPv4-compatible form, ::a.b.c.d
            inner = ipaddress.IPv4Address(int(ip))
        if inner is None:
            return ip
        ip = inner
    return ip
