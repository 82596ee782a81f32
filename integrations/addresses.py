"""Where smoke tests and fleets may connect to: everywhere a target may live, but not where clouds keep their keys.

Loopback and private ranges are allowed on purpose: targets are reached there and hardly anywhere else.
Link-local addresses have no targets, only the metadata services that hand out credentials to whoever asks. The one
rule: what is judged is the address that a socket is opened for, so no spelling of a host and no resolver gets past.
"""

import ipaddress
import socket

from aiohttp import AddrInfoType

_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})

_FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",  # Amazon's metadata over IPv6
        "100.100.100.200/32",  # Alibaba's
        "168.63.129.16/32",  # Azure's
        "192.0.0.192/32",  # Oracle's
    )
)

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddressError(OSError):
    """Nothing is sent to this address."""


def forbidden_name(host: str) -> bool:
    """Say whether a host is the name of a metadata service: such names need not lead to its usual address."""
    return host.lower().rstrip(".") in _NAMES


def open_socket(info: AddrInfoType) -> socket.socket:
    """Return a socket for one address that a host stands for. Raises `ForbiddenAddressError`."""
    family, kind, protocol, _, address = info
    if forbidden(str(address[0])):
        raise ForbiddenAddressError("link-local or metadata")
    return socket.socket(family=family, type=kind, proto=protocol)


def forbidden(address: str) -> bool:
    """Say whether nothing may be sent to an IP address, also where IPv6 carries an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _carried(ip) or ip
    return any(ip in network for network in _FORBIDDEN)


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
