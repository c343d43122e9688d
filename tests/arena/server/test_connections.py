"""Connections that never finish their request do not harm others, and slow honest ones are served."""

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.server import connections
from arena.server.connections import Connections
from arena.server.listening import listen
from arena.server.serving import serve
from arena.server.stopping import Stopping
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.program import HALVES, JOIN, Visitor, arena_words, request, running, write_models

ROOM = 20
Connect = Callable[..., socket.socket]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer it; /stream keeps its answer open until the client hangs up."""
    if scope["type"] != "http":
        return
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body, has_more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await receive()
    if scope["path"] == "/unread":
        await send({"type": "http.response.body", "body": bytes(20_000_000), "more_body": True})
    await send({"type": "http.response.body", "body": b"whole: " + body})


@contextmanager
def serving(*, room: int = ROOM) -> Iterator[Connect]:
    """Serve app from a thread, and return a function that connects to it and sends something."""
    listener, stopping = listen("127.0.0.1", 0), Stopping()
    address = listener.getsockname()
    thread = threading.Thread(target=serve, args=(app, listener, stopping), kwargs={"room": room})
    thread.start()
    with ExitStack() as opened:

        def connect(sent: bytes = b"", **options: int) -> socket.socket:
            connection = opened.enter_context(socket.socket())
            if "buffer" in options:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["buffer"])
            connection.settimeout(PATIENCE)
            connection.connect(address)
            connection.sendall(sent)
            return connection

        try:
            yield connect
        finally:
            stopping.ask()
            stopping.ask()
            thread.join(PATIENCE)
    assert not thread.is_alive()


def read(connection: socket.socket, until: bytes = b"") -> bytes:
    """Return what comes until this has come, or until the other end hangs up."""
    seen = b""
    try:
        while not (until and until in seen) and (piece := connection.recv(1 << 16)):
            seen += piece
    except ConnectionResetError:
        pass
    return seen


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    return 0.5


@pytest.mark.parametrize("kind", HALVES)
def test_a_request_that_does_not_arrive_whole_is_given_up(short_deadline: float, kind: str) -> None:
    with serving() as connect:
        began = time.monotonic()
        answer = read(connect(HALVES[kind]))
        assert short_deadline * 0.9 < time.monotonic() - began < PATIENCE / 2
    assert answer.startswith(b"HTTP/1.1 408 ") == (kind in ("half a line", "half a head"))


def test_a_byte_now_and_then_does_not_put_the_end_off(short_deadline: float) -> None:
    with serving() as connect:
        slow = connect(b"GET / HTTP/1.1\r\nx-slow: ")
        began = time.monotonic()
        slow.settimeout(0.05)
        for _ in range(200):
            try:
                slow.sendall(b"x")
                if slow.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError("it was never given up")
        assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.slow
def test_a_slow_phone_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """In three pieces, the second and third far apart, and a second request on the same connection like that."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 2.6)
    whole = request("/", method="POST", body=b"x" * 90)
    with serving() as connect:
        phone = connect()
        for _ in range(2):
            for piece in (whole[:30], whole[30:-40], whole[-40:]):
                time.sleep(1)
                phone.sendall(piece)
            assert b"whole: " + b"x" * 90 in read(phone, b"x" * 90)


def test_what_is_being_answered_outlives_the_deadline_of_requests(short_deadline: float) -> None:
    with serving() as connect:
        stream = connect(request("/stream"))
        assert read(connect(HALVES["half a body"])) == b""  # by then the deadline is over
        assert b"first" in read(stream, b"first")
        assert b"whole" in read(connect(request("/")), b"whole")


def test_a_reader_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    with serving() as connect:
        reader = connect(request("/unread"), buffer=4096)
        time.sleep(1.5)
        assert len(read(reader)) < 20_000_000


def test_with_all_places_held_by_half_requests_others_are_answered_and_streams_go_on() -> None:
    with serving() as connect:
        streams = [connect(request("/stream")) for _ in range(ROOM // 2 - 2)]
        assert all(b"first" in read(stream, b"first") for stream in streams)
        held = [connect(HALVES["half a head"]) for _ in range(3 * ROOM)]
        assert b"whole" in read(connect(request("/")), b"whole")
        for stream in streams:
            stream.settimeout(0.01)
            with pytest.raises(TimeoutError):
                stream.recv(1)  # nothing came, and nobody hung up
        assert read(held[0]) == b""  # the oldest went


@dataclass(eq=False)
class Fake:
    """A connection from an address; the transport is itself."""

    address: str
    is_cut: bool = False
    others: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.address

    @property
    def transport(self) -> "Fake":
        return self

    def abort(self) -> None:
        self.is_cut = True


def enter(book: Connections, address: str, *, number: int = 1, is_whole: bool = False) -> list[Fake]:
    new = [Fake(address) for _ in range(number)]
    for each in new:
        book.enter(each)  # type: ignore[arg-type]
        if is_whole:
            book.settle(each)  # type: ignore[arg-type]
    return new


def cut(fakes: list[Fake]) -> int:
    return sum(fake.is_cut for fake in fakes)


def test_the_address_with_most_half_requests_loses_its_oldest() -> None:
    book = Connections(20)
    [phone] = enter(book, "phone")
    flood = enter(book, "flood", number=30)
    assert not phone.is_cut
    assert [fake.is_cut for fake in flood] == [True] * 21 + [False] * 9


def test_one_address_has_half_of_the_room_however_whole_its_requests_are_unless_it_is_a_proxy() -> None:
    book = Connections(20, {"proxy"}.__contains__)
    assert cut(enter(book, "flood", number=30, is_whole=True)) == 20
    assert cut(enter(book, "phone", is_whole=True)) == 0
    assert cut(enter(book, "proxy", number=9, is_whole=True)) == 0
    assert cut(enter(book, "proxy", is_whole=True)) == 1  # nobody else's place
    proxied = Connections(20, {"proxy"}.__contains__)
    assert cut(enter(proxied, "proxy", number=20, is_whole=True)) == 0


def test_places_are_given_back() -> None:
    book = Connections(4)
    for _ in range(50):
        [one] = enter(book, "phone", is_whole=True)
        book.owe(one)  # type: ignore[arg-type]
        book.owe(one)  # type: ignore[arg-type]
        book.leave(one)  # type: ignore[arg-type]
        book.leave(one)  # type: ignore[arg-type]
    assert cut(enter(book, "phone", number=2)) == 0
    assert cut(enter(book, "other", number=2, is_whole=True)) == 0


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
    b"\r\n" * 100 + b"nonsense\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: \xff\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: [::bad\r\nx-forwarded-host: [\r\nx-gradio-server: http://[\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    b"GET /" + b"%00" * 300 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    request("/healthz") + b"garbage\r\n\r\n" * 3,
    request("/", "connection: upgrade", "upgrade: websocket", "sec-websocket-key: x"),
    request("/", "connection: upgrade, http2-settings", "upgrade: h2c"),
    b"POST " + JOIN.encode() + b" HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"POST " + JOIN.encode() + b" HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nzz\r\n",
    b"POST " + JOIN.encode() + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345",
    request("/nothing", method="POST", body=b"x" * 40_000) + b"\x00" * 100,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
]


@pytest.mark.slow
def test_with_1024_files_1100_half_requests_and_garbage_stop_nobody_and_fill_no_log(
    root: Path, checkpoint: Path, tmp_path: Path
) -> None:
    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

    models = write_models(tmp_path / "models.yaml", checkpoint)
    words = arena_words(models, tmp_path / "arena.db")
    with running(root, words, tmp_path / "log", few_files) as program, ExitStack() as held:
        stream = held.enter_context(Visitor(program).ask())
        halves = list(HALVES.values())
        for number in range(1100):
            held.enter_context(program.connect(halves[number % len(halves)]))
            if number % 100 == 99:
                began = time.monotonic()
                assert httpx.get(program.url + "/healthz", timeout=PATIENCE).status_code == 200
                assert time.monotonic() - began < 2
        assert "gradio_config" in httpx.get(program.url, timeout=PATIENCE).text
        until_done(stream)
        for number in range(40 * len(GARBAGE)):
            with closing(program.connect(GARBAGE[number % len(GARBAGE)])) as thrown:
                thrown.recv(1)
        assert httpx.get(program.url + "/healthz", timeout=PATIENCE).status_code == 200
        assert program.stop()[:2] == (0, "stopped\n")
        log = program.log.read_text()
    assert "Traceback" not in log
    assert len(log.splitlines()) <= 3, log


def until_done(stream: socket.socket) -> None:
    """Wait for the end of the event's stream, which other connections must not cut."""
    seen, until = b"", time.monotonic() + 2 * PATIENCE
    while b"process_completed" not in seen:
        assert time.monotonic() < until, seen[-300:]
        piece = stream.recv(1 << 16)
        assert piece, seen[-300:]
        seen += piece
