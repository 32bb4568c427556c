"""Which addresses may be connected to, however they are written."""

from __future__ import annotations

import ipaddress
import socket

import aiohttp
import pytest

from monitor import net

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:100.64.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1:7f00:0:100:808:808",  # 127.0.0.1 as RFC 6052 has it for /48; the last bits look like 8.8.8.8
    "::ffff:0:127.0.0.1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo of 10.0.0.1
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
# The IANA registries of special-purpose addresses, without those that are reachable from everywhere or carry an address (above).
RANGES = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24",
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4",
    "::/127 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001:1::/32 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28",
    "2001:30::/28 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8",
)
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not net.is_public(address)


@pytest.mark.parametrize("written", " ".join(RANGES).split())
def test_a_range_that_is_not_public_is_refused_from_end_to_end(written: str) -> None:
    network = ipaddress.ip_network(written)
    assert [str(one) for one in (network[0], network[-1], network[network.num_addresses // 2]) if net.is_public(str(one))] == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert net.is_public(address)


@pytest.mark.parametrize("text", ["example.org", "", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_what_is_not_a_plain_address_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A"):
        net.is_public(text)


@pytest.fixture
def listener() -> socket.socket:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0)
    return listening


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_no_spelling_of_loopback_is_connected_to(host: str, listener: socket.socket) -> None:
    with listener:
        port = listener.getsockname()[1]
        async with aiohttp.ClientSession(connector=net.connector(allow_private=False)) as session:
            with pytest.raises((net.PrivateAddressError, aiohttp.InvalidURL)):
                await session.get(f"http://{host}:{port}/", timeout=aiohttp.ClientTimeout(total=5))
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_every_answer_of_the_resolver_counts(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    """A name with one public and one private address is refused, whichever would have been tried first."""
    port = listener.getsockname()[1]

    def resolved(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with listener:
        async with aiohttp.ClientSession(connector=net.connector(allow_private=False)) as session:
            with pytest.raises(net.PrivateAddressError, match=r"two-faced\.example"):
                await session.get(f"http://two-faced.example:{port}/", timeout=aiohttp.ClientTimeout(total=5))


async def test_an_answer_that_changes_between_two_looks_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """What was checked is what is connected to: no second look, whose answer could be another, comes between."""
    port, asked = listener.getsockname()[1], list[str]()

    def resolved(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with listener:
        async with aiohttp.ClientSession(connector=net.connector(allow_private=False)) as session:
            with pytest.raises((TimeoutError, aiohttp.ClientConnectorError)):  # the public address is tried, and is not here
                await session.get(f"http://changing.example:{port}/", timeout=aiohttp.ClientTimeout(total=0.3))
            assert asked == ["changing.example"], "one look a connection"
            with pytest.raises(net.PrivateAddressError):
                await session.get(f"http://changing.example:{port}/", timeout=aiohttp.ClientTimeout(total=5))
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_with_leave_loopback_is_connected_to(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with listener:
        async with aiohttp.ClientSession(connector=net.connector(allow_private=True)) as session:
            with pytest.raises(TimeoutError):  # connected; nobody answers
                await session.get(f"http://127.0.0.1:{port}/", timeout=aiohttp.ClientTimeout(sock_read=0.1))
        listener.accept()[0].close()
