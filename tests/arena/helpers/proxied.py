"""A small reverse proxy on a port of its own, like one in front of an arena: under a path, and with or without TLS."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.arena.helpers.played import PATIENCE


class Proxy:
    """Passes what lies below a path on to another port, the path cut off or kept, and says for whom and by what scheme.

    Like nginx with its defaults it gives its own name of the server as host, and it closes each connection.
    """

    def __init__(self, target: int, *, path: str = "", is_path_kept: bool = False, scheme: str = "") -> None:
        self.target, self.path, self.is_path_kept, self.scheme = target, path, is_path_kept, scheme
        self.lost: list[str] = []  # what was asked outside of the path
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, rest = head.split(" ", 2)
            if not path.startswith(self.path + "/"):
                self.lost.append(path)
                writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            if not self.is_path_kept:
                path = path.removeprefix(self.path)
            length = re.search(r"(?im)^content-length: *(\d+)", rest)
            body = await reader.readexactly(int(length[1])) if length else b""
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            back.write(f"{method} {path} {self.rewrite(rest)}".encode("latin-1") + body)
            try:
                while piece := await there.read(1 << 16):
                    writer.write(piece)
                    await writer.drain()
            finally:
                back.transport.abort()
                with suppress(OSError, asyncio.CancelledError):
                    await back.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def rewrite(self, rest: str) -> str:
        """Return the protocol and the headers as they are passed on."""
        protocol, *lines = rest.strip().split("\r\n")
        kept = [line for line in lines if not re.match(r"(?i)(host|connection|x-forwarded-proto):", line)]
        added = [f"Host: upstream:{self.target}", "Connection: close", "X-Forwarded-For: 127.0.0.1"]
        if self.scheme:
            added.append(f"X-Forwarded-Proto: {self.scheme}")
        return "\r\n".join([protocol, *kept, *added, "", ""])


@contextmanager
def proxy_to(target: int, *, path: str = "", is_path_kept: bool = False, scheme: str = "") -> Iterator[Proxy]:
    """Run a proxy from a thread; its port is that of the proxy yielded."""
    proxy = Proxy(target, path=path, is_path_kept=is_path_kept, scheme=scheme)
    listens, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def live() -> None:
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
            proxy.port = server.sockets[0].getsockname()[1]
            listens.set()
            await ended.wait()
        # A connection that was accepted at the last moment has its task only now: look until none is left.
        until = loop.time() + PATIENCE
        while (others := asyncio.all_tasks() - {asyncio.current_task()}) and loop.time() < until:
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=1)
        await asyncio.sleep(0.05)  # in which what was aborted is closed

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    try:
        assert listens.wait(PATIENCE)
        yield proxy
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)
        loop.close()
