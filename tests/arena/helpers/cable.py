"""A connection between a browser and the server that a test can cut: a TCP forwarder on a port of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.arena.helpers.played import PATIENCE


class Cable:
    """Forwards to a port until it is pulled; plugged in again, it takes new connections."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._is_pulled = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._muted: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listens.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pull(self) -> None:
        """Cut every connection and refuse new ones."""
        self._is_pulled = True
        self._loop.call_soon_threadsafe(self._cut)

    def mute(self) -> None:
        """Let nothing pass on the connections of this moment, which stay open: how it is after a long sleep."""
        self._loop.call_soon_threadsafe(lambda: self._muted.update(self._writers))

    def plug_in(self, port: int | None = None) -> None:
        """Forward again, to another port where one is given."""
        self.target, self._is_pulled = port or self.target, False

    def close(self) -> None:
        self.pull()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end_all())
        self._loop.close()

    async def _end_all(self) -> None:
        # A connection that was accepted at the last moment has its task only now: look until none is left.
        until = self._loop.time() + PATIENCE
        while (others := asyncio.all_tasks() - {asyncio.current_task()}) and self._loop.time() < until:
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=1)
        await asyncio.sleep(0.05)  # in which what was aborted is closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_pulled:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        finally:
            self._writers -= ends
            self._muted -= ends
            for end in ends:
                end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if writer not in self._muted:
                    writer.write(data)
                    await writer.drain()
        if writer in self._muted:  # the end of it does not pass either
            await asyncio.get_running_loop().create_future()
        writer.transport.abort()


@contextmanager
def cable_to(port: int) -> Iterator[Cable]:
    cable = Cable(port)
    try:
        yield cable
    finally:
        cable.close()
