"""Serve until asked to stop, and then stop within seconds, even if clients keep their connections open.

uvicorn waits for its clients and then lets the signal end the process. Here running answers get two seconds; then every
connection is cut and every task cancelled, and the caller goes on to close its ledger.
"""

import asyncio
import contextlib
import functools
import logging
import resource
import socket
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from arena.server.connections import Connection, Connections
from arena.server.listening import WAITING
from arena.server.site import PLAIN, Site
from arena.server.stopping import Stopping

GRACE_SECONDS = 2.0  # for running answers
LAST_SECONDS = 0.5  # for each step after that
ACCEPTED_AT_ONCE = 32  # connections in one round of the event loop, before any of them can be dropped
RESERVE = 256  # file descriptors for everything else, and for connections accepted at once
MOST_FILES = 65_536
MOST_CONNECTIONS = 4096


def serve(
    app: ASGIApp, listener: socket.socket, stopping: Stopping, site: Site = PLAIN, *, room: int | None = None
) -> None:
    """Answer requests until asked to stop; a second request to stop skips the grace period. Then nothing runs any more.

    room is the maximum number of connections; by default as many as there are file descriptors for.
    """
    connections = Connections(room or find_room(), site.is_proxy)
    config = uvicorn.Config(
        app,
        http=functools.partial(Connection, connections=connections),  # type: ignore[arg-type]
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # arena/server/site.py settles them
        backlog=ACCEPTED_AT_ONCE,
    )
    server = Server(config)
    stopping.notify(server.stop)
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(sockets=[listener]))
        loop.run_until_complete(_end_tasks())
    finally:
        asyncio.set_event_loop(None)
        loop.close()  # without waiting for threads, whose results are not needed any more


class Server(uvicorn.Server):
    """uvicorn's server, stopped from outside."""

    def stop(self, times: int) -> None:
        """Stop; the second time at once."""
        self.should_exit = True
        self.force_exit = times > 1

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave signals to the caller."""
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a longer kernel queue than uvicorn sets."""
        await super().startup(sockets)
        for each in sockets or []:
            each.listen(WAITING)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running answers end for GRACE_SECONDS, then cut the rest."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(int(GRACE_SECONDS / 0.05)):
            if self.force_exit or not (self.server_state.connections or self.server_state.tasks):
                break
            await asyncio.sleep(0.05)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        if not self.force_exit:
            await _wait(self.server_state.tasks)
        await self._cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lifespan.shutdown(), LAST_SECONDS)

    async def _cancel(self) -> None:
        log = logging.getLogger("uvicorn.error")
        level = log.level
        log.setLevel(logging.CRITICAL)  # or it would log a traceback for every cancelled request
        for task in list(self.server_state.tasks):
            task.cancel()
        await _wait(self.server_state.tasks)
        log.setLevel(level)


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await _wait(others)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_asyncgens(), LAST_SECONDS)


async def _wait(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    if waited := list(tasks):
        await asyncio.wait(waited, timeout=LAST_SECONDS)


def find_room() -> int:
    """Return the number of connections that file descriptors allow, after raising their limit as far as possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    files = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return min(MOST_CONNECTIONS, max(files - RESERVE, files // 2))
