"""Which addresses are public, however they are written.

The rule: unwrap addresses that carry another (IPv4-mapped, 6to4, Teredo, NAT64), then require that what is left is global
unicast.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
# Global by the standard library's table, yet never a place to send an alert: shared and protocol-assignment ranges, relays.
_REFUSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "100.64.0.0/10",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "fec0::/10",
        "100::/64",
        "3fff::/20",
        "5f00::/16",
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
        if inner is None and (ip in _NAT64 or ip in _NAT64_LOCAL):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None and int(ip) >> 32 == 0 and int(ip) > 1:  # the deprecated IPv4-compatible form, ::a.b.c.d
            inner = ipaddress.IPv4Address(int(ip))
        if inner is None:
            return ip
        ip = inner
    return ip
