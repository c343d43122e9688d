"""A server on 127.0.0.1 that plays scripts: what each request is answered with, byte for byte, over real sockets."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from arena.backends.base import Reply, Request
from arena.backends.openai.backend import OpenAIBackend
from arena.contestants import ChatStyle, OpenAIContestant, Sampling
from common.conversation import Conversation
from tests.arena.helpers.played import PATIENCE

KEY = "sk-Birch7Tree-0000"
CHAT = ChatStyle(style="chat")
Step = bytes | float  # what is sent, or seconds of silence
Script = Iterable[Step]


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Where it listens, and what it was asked."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    hung_up: int = 0


def response(status: int, body: str | bytes = "", kind: str = "application/json", **headers: str) -> list[Step]:
    content = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status} Said", f"content-type: {kind}", f"content-length: {len(content)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "\r\n"]).encode() + content]


def error(status: int, **fields: Any) -> list[Step]:
    return response(status, json.dumps({"error": fields}))


def head(kind: str = "text/event-stream", **headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-type: {kind}", "transfer-encoding: chunked", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode()


def sent(text: str | bytes) -> bytes:
    """Return a part of a chunked body."""
    content = text if isinstance(text, bytes) else text.encode()
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


END = b"0\r\n\r\n"


def event(**fields: Any) -> bytes:
    return sent(f"data: {json.dumps(fields)}\n\n")


def token(text: str | None, *, finish: str | None = None, model: str = "birch-1", **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish, **fields}
    return event(model=model, choices=[choice], system_fingerprint="fp_1")


def finish(reason: str = "stop", **fields: Any) -> bytes:
    return token(None, finish=reason, **fields)


USAGE = event(model="birch-1", choices=[], usage={"prompt_tokens": 7, "completion_tokens": 3})
DONE = sent("data: [DONE]\n\n")


def reply(*texts: str) -> list[Step]:
    """Return a whole reply, as vLLM sends one: an empty piece, the texts, the finish, the usage."""
    return [head(), token(""), *map(token, texts), finish(), USAGE, DONE, END]


WELL = reply("Hot", " is", " cold")


def for_ever(step: bytes, pause: float = 0.002, before: Script = ()) -> Script:
    yield from before
    for _ in itertools.count():
        yield step
        yield pause


@asynccontextmanager
async def playing(*scripts: Callable[[], Script] | Script) -> AsyncIterator[Server]:
    """Answer the first request with the first script, and so on; the last one also answers all that follow."""
    server = Server()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            server.asked.append(await _read(reader))
            script = scripts[min(len(server.asked), len(scripts)) - 1]
            for step in script() if callable(script) else script:
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await asyncio.sleep(step)
                if reader.at_eof():
                    server.hung_up += 1
                    break
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(first.split()[1], headers, json.loads(body) if body else None)


def contestant(*addresses: str, **fields: Any) -> OpenAIContestant:
    entry = {"name": "alder", "stage": "sft", "backend": "openai", "model": "birch-1", "dialect": "vllm"}
    given = {"base_url": addresses, "token_seconds": 0.3, "context": 100_000}
    return OpenAIContestant.model_validate(entry | given | fields)


def open_backend(*addresses: str, environment: dict[str, str] | None = None, **fields: Any) -> OpenAIBackend:
    return OpenAIBackend(contestant(*addresses, **fields), environment=environment or {}, rng=random.Random(1))


def ask(prompt: str = "What is hot?", *, style: Any = CHAT, seed: int = 5, **sampling: Any) -> Request:
    return Request(Conversation.ask(prompt), style, Sampling(**({"max_seconds": 5.0} | sampling)), seed)


async def read(backend: OpenAIBackend, request: Request | None = None) -> tuple[list[str], Reply]:
    events = [event async for event in backend.stream(request or ask())]
    assert isinstance(events[-1], Reply)
    assert all(isinstance(event, str) for event in events[:-1])
    return events[:-1], events[-1]  # type: ignore[return-value]


def run(awaitable: Awaitable[Any]) -> Any:
    async def with_patience() -> Any:
        async with asyncio.timeout(PATIENCE * 2):
            return await awaitable

    return asyncio.run(with_patience())


async def answer_to(*scripts: Any, request: Request | None = None, **fields: Any) -> tuple[list[str], Reply, Server]:
    """Ask one endpoint that plays scripts; return the pieces, the reply and the server."""
    async with playing(*scripts) as server:
        backend = open_backend(server.address, **fields)
        pieces, whole = await read(backend, request)
        return pieces, whole, server
