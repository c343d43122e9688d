"""The listening socket: where it listens, and why it cannot."""

import errno
import os
import socket

import pytest

from arena.server.listening import DEAD_SECONDS, ListenError, address_of, listen
from tests.arena.helpers.played import PATIENCE


def test_a_port_that_only_root_may_take_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ListenError, match=r"cannot listen on \[::1\]:80: Permission denied: pass another --port"):
        listen("::1", 80)


@pytest.mark.parametrize(
    ("host", "url", "peer"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}", "127.0.0.1"),
        ("0.0.0.0", "http://0.0.0.0:{}", "127.0.0.1"),
        ("localhost", "http://localhost:{}", "127.0.0.1"),
        ("::1", "http://[::1]:{}", "::1"),
        ("::", "http://[::]:{}", "::1"),
        ("::", "http://[::]:{}", "127.0.0.1"),
    ],
)
def test_it_listens_where_it_says(host: str, url: str, peer: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        assert address_of(host, listener) == url.format(port)
        with socket.create_connection((peer, port), PATIENCE), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == DEAD_SECONDS * 1000


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 70 + ".example", "x..y"])
def test_a_host_that_does_not_exist_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=rf"cannot listen on {host}:0: .+: pass another --port or --host"):
        listen(host, 0)
