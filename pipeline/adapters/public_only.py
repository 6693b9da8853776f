"""Connections that lead to public addresses only.

Promise: the address that was looked at is the address that is connected to. Whatever a name leads to at one moment
and the next, however an address is spelled, and wherever a redirect points, no packet reaches a private network.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
# Special by IANA's registries (one cloud's metadata is in the first), and global to older Pythons.
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("64:ff9b:1::/48"))


class PrivateAddress(Exception):
    """The host leads into a network that is not public."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is anybody's to reach; IPv4 in any IPv6 wrapping counts as what is inside."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inside.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(each is not None and not is_public(str(each)) for each in inside):
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _SPECIAL)


def addresses(host: str, port: int | None = None) -> list[str]:
    """Return what a host leads to, in the resolver's order. Raises OSError when it leads nowhere."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class _PublicOnly(httpcore.NetworkBackend):
    """Looks a name up once, refuses it if any of its addresses is private, and connects to what it looked at."""

    def __init__(self) -> None:
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore. Raises `PrivateAddress`."""
        try:
            found = addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not all(map(is_public, found)):
            raise PrivateAddress(host)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in found:
            try:
                return self._real.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Raise `PrivateAddress`: a socket of this machine is nothing public."""
        raise PrivateAddress(path)

    def sleep(self, seconds: float) -> None:
        """See httpcore."""
        self._real.sleep(seconds)


def public_transport(certificates: ssl.SSLContext) -> httpx.HTTPTransport:
    """Return httpx's own transport over connections that lead to public addresses only."""
    transport = httpx.HTTPTransport(verify=certificates, trust_env=False)
    # httpx offers no way to name the backend; httpcore, which it is built on, does.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=certificates, max_connections=20, keepalive_expiry=5.0, network_backend=_PublicOnly()
    )
    return transport
