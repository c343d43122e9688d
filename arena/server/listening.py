"""The address that the arena listens on, taken before anything is loaded, so that a taken port is said at once."""

import ipaddress
import os
import socket

WAITING = 2048  # connections in the kernel's queue
DEAD_SECONDS = 60  # without a sign of life from the other end, until the kernel gives a connection up


class ListenError(Exception):
    """An address that cannot be listened on: says why, and what to pass."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address; a name's IPv4 address where it has one, and port 0 is any free one.

    Raises:
        ListenError: nothing can listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address, family=family, dualstack_ipv6=both, backlog=WAITING)
    except (OSError, UnicodeError) as error:
        why = "no such host"  # one that no host can have: UnicodeError, from IDNA
        if isinstance(error, OSError) and error.errno is not None:
            why = str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise ListenError(f"cannot listen on {_pair(host, port)}: {why}: pass another --port or --host") from None
    # A phone that went out of reach says nothing: what is accepted here inherits these.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000)
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """Return the URL at which it listens, with the port that it got."""
    return f"http://{_pair(host, listener.getsockname()[1])}"


def _pair(host: str, port: int) -> str:
    try:
        is_v6 = ipaddress.ip_address(host.split("%")[0]).version == 6
    except ValueError:
        is_v6 = False
    return f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
