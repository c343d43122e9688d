"""What the arena adds to an endpoint: time to the first token, and its own share of a core at many battles.

``python -m benchmarks.endpoints [--battles 64] [--tokens 200] [--rate 20] [--rounds 5] [--endpoint URL --model NAME]``

A small server in a process of its own sends tokens at an even rate, as an engine does; with --endpoint the first part
asks a real one. Added time: from the visitor's request to the service until the first token is in the battle, less what
a bare HTTP client measures, asked in turns. Share of a core: processor time of this process, which holds service,
ledger and client, per second of 2 x battles streams, beside the scripted backend at the same rate.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from arena.backends.base import Backend
from arena.backends.openai.backend import OpenAIBackend
from arena.backends.scripted import ScriptedBackend
from arena.battle import Battle, State
from arena.contestants import Contestant, OpenAIContestant, Sampling, ScriptedContestant
from arena.ledger.store import Store
from arena.service import Service

SIDES = ("one", "two")
PROMPT = "Tell me a story about Mia and a fox."


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--battles", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="tokens a second of each reply")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--endpoint", help="address of a real endpoint of the dialect vllm, for the first table")
    parser.add_argument("--model", default="model")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve is not None:
        asyncio.run(serve(options.serve, options.tokens, options.rate))
        return
    with server(options) as address:
        first_tokens(options.endpoint or address, options)
        shares(address, options)


def first_tokens(address: str, options: argparse.Namespace) -> None:
    """Measure the first token through the service and by a bare client, in turns."""
    added: dict[str, list[float]] = {"bare client": [], "arena": []}

    async def measure(service: Service) -> None:
        async with httpx2.AsyncClient(timeout=60) as client:
            for n in range(options.rounds * 10):
                added["bare client"].append(await bare_first_token(client, address, options.model, n))
                began = time.perf_counter()
                battle = await service.start(f"visitor {n}", f"{PROMPT} {n}")
                while not any(battle.texts.values()):
                    await asyncio.sleep(0.0005)
                added["arena"].append(time.perf_counter() - began)
                await ended([battle])

    with service_of(endpoints(address, options, 8)) as service:
        asyncio.run(measure(service))
    print(f"time to the first token, {options.rounds * 10} each in turns: median and 90th percentile, ms\n")
    for name, seconds in added.items():
        tenths = statistics.quantiles(seconds, n=10)
        print(f"{name:14}{statistics.median(seconds) * 1000:8.1f}{tenths[-1] * 1000:8.1f}")
    by_arena, bare = (statistics.median(added[name]) for name in ("arena", "bare client"))
    print(f"{'added':14}{(by_arena - bare) * 1000:8.1f}\n")


async def bare_first_token(client: httpx2.AsyncClient, address: str, model: str, seed: int) -> float:
    """Return the seconds until a plain request streams its first text."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"{PROMPT} {seed}"}],
        "max_tokens": 8,
        "seed": seed,
        "stream": True,
    }
    began, first = time.perf_counter(), 0.0
    async with client.stream("POST", f"{address}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not first and line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    first = time.perf_counter() - began
    return first


def shares(address: str, options: argparse.Namespace) -> None:
    """Measure the processor time of many streaming battles, by both backends in turns."""
    text = " ".join(f"word{n}" for n in range(options.tokens))

    def scripted() -> list[tuple[Contestant, Backend]]:
        contestants = [
            ScriptedContestant(
                name=name,
                stage="sft",
                backend="scripted",
                replies=(f"{text} {name}",),
                sampling=sampling(options.tokens),
            )
            for name in SIDES
        ]
        return [(each, ScriptedBackend(each.replies, seconds_per_word=1 / options.rate)) for each in contestants]

    ways = {"scripted": scripted, "endpoint": lambda: endpoints(address, options, options.tokens)}
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            measured[name].append(share_of(way, options))
    print(f"{options.battles} battles of two replies at {options.rate:g} tokens a second: share of one core\n")
    for name, found in measured.items():
        print(f"{name:14}{statistics.median(found):8.0%}   ({min(found):.0%} to {max(found):.0%})")
    more = statistics.median(measured["endpoint"]) - statistics.median(measured["scripted"])
    print(f"{'more':14}{more:8.0%}")


def share_of(way: Callable[[], list[tuple[Contestant, Backend]]], options: argparse.Namespace) -> float:
    """Return processor seconds a second while the battles stream."""

    async def fight(service: Service) -> float:
        battles = await asyncio.gather(
            *(service.start(f"visitor {n}", f"{PROMPT} {n}") for n in range(options.battles))
        )
        began, used = time.perf_counter(), time.process_time()
        await ended(battles)
        return (time.process_time() - used) / (time.perf_counter() - began)

    with service_of(way()) as service:
        return asyncio.run(fight(service))


async def ended(battles: Sequence[Battle]) -> None:
    """Wait for the end of battles; raise RuntimeError where one is void."""
    while any(battle.state is State.GENERATING for battle in battles):
        await asyncio.sleep(0.05)
    if failed := [battle.void_reason for battle in battles if battle.state is not State.READY]:
        raise RuntimeError(failed[0])


def sampling(tokens: int) -> Sampling:
    """Return the limits of a reply."""
    return Sampling(max_tokens=tokens + 2, max_seconds=600.0)


def endpoints(address: str, options: argparse.Namespace, tokens: int) -> list[tuple[Contestant, Backend]]:
    """Return two contestants behind one endpoint."""
    contestants = [
        OpenAIContestant(
            name=name,
            stage="sft",
            backend="openai",
            dialect="vllm",
            base_url=(address,),
            model=options.model,
            sampling=sampling(tokens),
        )
        for name in SIDES
    ]
    return [(each, OpenAIBackend(each)) for each in contestants]


@contextmanager
def service_of(backends: list[tuple[Contestant, Backend]], *, is_paced: bool = True) -> Iterator[Service]:
    """Yield a service with a ledger of its own on the disk; without is_paced a battle ends when its replies do."""
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder) / "arena.db")) as store:
        opened = {contestant.name: backend for contestant, backend in backends}
        yield Service(
            tuple(contestant for contestant, _ in backends), opened, store, rng=random.Random(0), is_paced=True
        )


@contextmanager
def server(options: argparse.Namespace) -> Iterator[str]:
    """Yield the address of the small server."""
    command = [sys.executable, "-m", "benchmarks.endpoints", "--serve", "0"]
    command += ["--tokens", str(options.tokens), "--rate", str(options.rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


async def serve(port: int, tokens: int, rate: float) -> None:
    """Answer every request with a stream of words, and print the port."""
    running = await asyncio.start_server(lambda reader, writer: answer(reader, writer, tokens, rate), "127.0.0.1", port)
    print(running.sockets[0].getsockname()[1], flush=True)
    await running.serve_forever()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tokens: int, rate: float) -> None:
    """Send one reply: its first token at once, then the others at the rate."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    lengths = [int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length")]
    body = json.loads(await reader.readexactly(lengths[0])) if lengths else {}
    if "messages" not in body or not body.get("stream"):
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    wanted = min(tokens, body["max_tokens"] - 1)
    seed = body.get("seed", 0)
    for n in range(wanted):
        said = f"word{n} " if n < wanted - 1 else str(seed)
        last = "stop" if n == wanted - 1 else None
        writer.write(event(body["model"], [{"index": 0, "delta": {"content": said}, "finish_reason": last}]))
        await writer.drain()
        await asyncio.sleep(1 / rate)
    usage = {"prompt_tokens": 9, "completion_tokens": wanted, "total_tokens": wanted + 9}
    writer.write(event(body["model"], [], usage) + b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


def event(model: str, choices: list[Any], usage: Any = None) -> bytes:
    """Return a chunk of OpenAI's API."""
    chunk = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": choices, "usage": usage}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


if __name__ == "__main__":
    main()
