"""The page, served from a thread with scripted backends, for the browser and for forged requests."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from arena.config import Models, ReadyPrompt
from arena.contestants import Contestant
from arena.ledger.store import Store
from arena.service import Service
from tests.arena.helpers.played import PATIENCE, PlayedBackend, make_backends, make_contestant


@dataclass
class Recorder:
    """ASGI middleware that keeps every byte the server sent: status lines, headers and bodies."""

    app: Any = None
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def keep(message: Any) -> None:
            if message["type"] == "http.response.start":
                for name, value in message["headers"]:
                    self.sent.append((scope["path"], name + b": " + value))
            elif message["type"] == "http.response.body":
                self.sent.append((scope["path"], message.get("body", b"")))
            await send(message)

        await self.app(scope, receive, keep if scope["type"] == "http" else send)

    def text(self, path: str = "") -> str:
        """Return what was sent so far for the paths that begin so."""
        return b"\n".join(body for asked, body in self.sent if asked.startswith(path)).decode(errors="replace")


@dataclass
class Arena:
    """A served page with the backends that write its replies."""

    url: str
    db: Path
    service: Service
    backends: dict[str, PlayedBackend]
    recorder: Recorder

    def script(self, *steps: Any) -> None:
        """Let every contestant play these steps from now on, and forget who has failed."""
        self.service.bench.clear()
        for backend in self.backends.values():
            backend.play(*steps)


@contextmanager
def serve(
    folder: Path,
    contestants: tuple[Contestant, ...] | None = None,
    backends: dict[str, PlayedBackend] | None = None,
) -> Iterator[Arena]:
    """Serve the page on a free port from a thread, with scripted backends and a ledger of its own."""
    from arena.ui.page import build_page, build_server

    class Server(uvicorn.Server):
        """A server with an event for when it listens."""

        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            self.listens = threading.Event()

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            self.listens.set()

    contestants = contestants or (make_contestant("alder", stage="base"), make_contestant("birch", stage="sft"))
    db = folder / "arena.db"
    store = Store(db)
    store.sweep()
    backends = backends or make_backends(contestant.name for contestant in contestants)
    service = Service(contestants, backends, store, reply_seconds=PATIENCE)
    models = Models(
        contestants=contestants,
        ready_prompts=(ReadyPrompt(prompt="What is the opposite of hot?"), ReadyPrompt(prompt="Tell me a story.")),
    )
    recorder = Recorder()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = Server(uvicorn.Config(recorder, log_level="warning", lifespan="on", timeout_graceful_shutdown=2))

    async def live() -> None:
        # Built inside the running loop: outside of one, Gradio makes a loop for every lock and closes none.
        recorder.app = build_server(build_page(service, models, db), service, secret="a secret of the tests")
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    try:
        assert server.listens.wait(PATIENCE)
        yield Arena(f"http://127.0.0.1:{listener.getsockname()[1]}", db, service, backends, recorder)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        store.close()
    assert not thread.is_alive()
