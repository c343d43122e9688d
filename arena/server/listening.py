"""The listening socket, opened before anything is loaded, so that a port in use is reported at once."""

import ipaddress
import os
import socket

WAITING = 2048  # connections in the kernel's queue
DEAD_SECONDS = 60  # without a sign of life from the client, until the kernel closes a connection


class ListenError(Exception):
    """An address that cannot be listened on: why, and what to pass instead."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; for a name, on its IPv4 address if it has one. Port 0 is any free one.

    Raises:
        ListenError: that is not possible.
    """
    try:
        choices = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(choices, key=lambda each: each[0] != socket.AF_INET)
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address, family=family, dualstack_ipv6=both, backlog=WAITING)
    except (OSError, UnicodeError) as error:
        why = "no such host"  # an impossible name raises UnicodeError, from IDNA
        if isinstance(error, OSError) and error.errno is not None:
            why = str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise ListenError(f"cannot listen on {_pair(host, port)}: {why}: pass another --port or --host") from None
    # For phones that lose their network: accepted connections inherit these options.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_SECONDS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000)
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """Return the URL of a listener, with its actual port."""
    return f"http://{_pair(host, listener.getsockname()[1])}"


def _pair(host: str, port: int) -> str:
    try:
        is_v6 = ipaddress.ip_address(host.split("%")[0]).version == 6
    except ValueError:
        is_v6 = False
    return f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
